// Figures inside the markup: colours of the theme, and when each is drawn anew.
(function () {
  "use strict";

  const av = window.attentionViz;
  const KINDS = ["plot", "matrix", "graph"];
  const SELECTOR = KINDS.map((kind) => `.${kind}`).join(", ");
  // A colour of both themes, see figures/palette.py.
  const BOTH = /var\(--x,\s*light-dark\(([^,()]+),\s*([^,()]+)\)\)/g;

  av.colours = (text) => text.replace(BOTH, av.theme() === "dark" ? "$2" : "$1");

  const drawn = new WeakMap(); // by element: {key, width, spec}
  const draw = (element) => {
    const kind = KINDS.find((name) => element.classList.contains(name));
    const text = element.dataset[kind];
    if (!text || !av.drawers[kind]) return;
    const before = drawn.get(element);
    const now = { text, theme: av.theme(), width: element.clientWidth };
    if (before && av.same(before, now)) return;
    drawn.set(element, now);
    av.drawers[kind](element, JSON.parse(av.colours(text)));
    element.dataset.drawn = performance.now();
    if (!before) sizes.observe(element);
  };
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.isConnected && target.clientWidth) requestAnimationFrame(() => draw(target));
    }
  });
  av.redraw = (root = document) => root.querySelectorAll(SELECTOR).forEach(draw);
  av.onArrange((root) => av.redraw(root));

  const CONFIG = { displayModeBar: false, doubleClick: false, responsive: false };
  av.drawers.plot = (element, { data, layout }) => {
    const size = { width: element.clientWidth || 400, autosize: false };
    window.Plotly.react(element, data, { ...layout, ...size }, CONFIG);
    if (element.dataset.listens) return;
    element.dataset.listens = "true";
    element.on("plotly_click", ({ points }) => {
      const value = points[0].customdata?.[0];
      const { sets } = element.dataset;
      if (/^L\d+H\d+$/.test(String(value))) av.pick([value], "toggle");
      else if (sets && Number(value) >= 1) av.change({ [sets]: Number(value) });
    });
  };
})();
