// Picking heads: clicks on anything with data-head, drags and arrow keys in the grid, the pills.
(function () {
  "use strict";

  const av = window.attentionViz;
  const numbers = (name) => name.match(/\d+/g).map(Number);
  const inOrder = (names) =>
    [...new Set(names)].sort((one, other) => {
      const [a, b] = [numbers(one), numbers(other)];
      return a[0] - b[0] || a[1] - b[1];
    });

  // Modes: "toggle", "set", "add", "remove".
  av.pick = (named, mode = "toggle") => {
    const now = av.page.shared.heads;
    const without = now.filter((name) => !named.includes(name));
    const next = {
      set: named,
      add: [...now, ...named],
      remove: without,
      toggle: [...without, ...named.filter((name) => !now.includes(name))],
    }[mode];
    av.change({ "shared.heads": inOrder(next) });
  };

  // Everything that names a head says whether it is selected.
  const mark = (root) => {
    if (!av.page) return;
    const picked = new Set(av.page.shared.heads);
    for (const element of root.querySelectorAll("[data-head]")) {
      const state = String(picked.has(element.dataset.head));
      if (element.getAttribute("aria-pressed") !== state) element.setAttribute("aria-pressed", state);
    }
    const cells = root.querySelectorAll(".head-grid .cell");
    if (cells.length && ![...cells].some((cell) => cell.tabIndex === 0)) cells[0].tabIndex = 0;
  };
  av.onArrange(mark);

  const pill = (name) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pill";
    button.textContent = `${name} ×`;
    button.title = `take ${name} out of the selection`;
    Object.assign(button.dataset, { head: name, mode: "remove" });
    return button;
  };
  const drawPills = () => {
    const place = document.getElementById("head-pills");
    if (place) place.replaceChildren(...av.page.shared.heads.map(pill));
    mark(document);
  };
  av.onChange((now, before) => {
    if (!av.same(now.shared.heads, before.shared.heads)) drawPills();
  });
  document.addEventListener("av-begin", drawPills);

  // A drag over cells selects them all, or takes them out where it started on a selected one.
  let drag = null;
  const cellAt = (event) => {
    const element = document.elementFromPoint(event.clientX, event.clientY);
    return element && element.closest(".head-grid .cell");
  };
  document.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest(".head-grid .cell");
    if (!cell || event.button !== 0) return;
    const mode = cell.getAttribute("aria-pressed") === "true" ? "remove" : "add";
    drag = { mode, cells: new Set([cell]) };
  });
  document.addEventListener("pointermove", (event) => {
    const cell = drag && cellAt(event);
    if (!cell || drag.cells.has(cell)) return;
    drag.cells.add(cell);
    for (const passed of drag.cells) passed.classList.add("dragged");
  });
  let wasDragged = false;
  const endDrag = () => {
    if (!drag) return;
    const { mode, cells } = drag;
    drag = null;
    for (const cell of cells) cell.classList.remove("dragged");
    wasDragged = cells.size > 1;
    if (wasDragged) av.pick([...cells].map((cell) => cell.dataset.head), mode);
    // The click that may follow a drag belongs to it; one that comes later doesn't.
    setTimeout(() => (wasDragged = false), 0);
  };
  document.addEventListener("pointerup", endDrag);
  document.addEventListener("pointercancel", () => (drag = null));

  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-head], [data-heads]");
    if (event.target.closest("#clear-heads")) av.change({ "shared.heads": [] });
    if (!element || wasDragged) return;
    const { head, heads, mode } = element.dataset;
    av.pick(heads ? JSON.parse(heads) : [head], mode || (heads ? "set" : "toggle"));
  });

  document.addEventListener("keydown", (key) => {
    const cell = key.target.closest && key.target.closest(".head-grid .cell");
    if (!cell) return;
    const next = neighbour(cell, key.key);
    if (!next) return;
    key.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  function neighbour(cell, key) {
    const [layer, head] = numbers(cell.dataset.head);
    const grid = cell.parentElement;
    const lies = grid.classList.contains("lies"); // a column per layer
    const inLine = lies ? `[data-head$="H${head}"]` : `[data-head^="L${layer}H"]`;
    const last = grid.querySelectorAll(inLine).length - 1;
    // Steps along the line that the cell stands in, and to the next one
    const along = (step) => (lies ? [layer + step, head] : [layer, head + step]);
    const across = (step) => (lies ? [layer, head + step] : [layer + step, head]);
    const target = {
      ArrowLeft: along(-1),
      ArrowRight: along(1),
      ArrowUp: across(1),
      ArrowDown: across(-1),
      Home: lies ? [0, head] : [layer, 0],
      End: lies ? [last, head] : [layer, last],
    }[key];
    return target && cell.parentElement.querySelector(`[data-head="L${target[0]}H${target[1]}"]`);
  }
})();
