// Picking heads: clicks on anything with data-head, drags and arrow keys in the grid.
(function () {
  "use strict";

  const HEAD = "[data-head]";
  const nothing = () => window.dash_clientside.no_update;
  const numbers = (name) => name.match(/\d+/g).map(Number);
  const inOrder = (names) =>
    [...new Set(names)].sort((one, other) => {
      const [a, b] = [numbers(one), numbers(other)];
      return a[0] - b[0] || a[1] - b[1];
    });
  const select = (names, page) => {
    const heads = inOrder(names);
    if (JSON.stringify(heads) === JSON.stringify(page.heads)) return nothing();
    return new window.dash_clientside.Patch().assign(["heads"], heads).build();
  };
  const tell = (heads, mode) =>
    window.dash_clientside.set_props("heads-picked", { data: { heads, mode, at: Date.now() } });

  const heads = {
    pick(event, page) {
      if (!event) return nothing();
      const now = page.heads;
      const named = event.heads;
      const without = now.filter((name) => !named.includes(name));
      const next = {
        set: named,
        add: [...now, ...named],
        remove: without,
        toggle: [...without, ...named.filter((name) => !now.includes(name))],
      }[event.mode];
      return select(next, page);
    },

    choose(names, page) {
      return select(names || [], page);
    },

    clear(clicks) {
      return clicks ? new window.dash_clientside.Patch().assign(["heads"], []).build() : nothing();
    },

    // The dropdown and the pills show the page's selection. What is selected is always among
    // the options, even before the model's sizes are known: the dropdown drops what is not.
    follow(selected, status, page) {
      const names = page.heads;
      const { layers = 0, heads = 0 } = status || {};
      const all = [];
      for (let layer = 0; layer < layers; layer++)
        for (let head = 0; head < heads; head++) all.push(`L${layer}H${head}`);
      markPressed(names);
      return [inOrder([...all, ...names]), names, names.map(pill)];
    },
  };

  const pill = (name) => ({
    type: "Button",
    namespace: "dash_html_components",
    props: {
      children: `${name} ×`,
      className: "pill",
      type: "button",
      title: `take ${name} out of the selection`,
      "data-head": name,
      "data-mode": "remove",
    },
  });

  // Everything that names a head says whether it is selected.
  let pressed = [];
  function markPressed(names) {
    pressed = names;
    mark();
  }
  function mark() {
    for (const element of document.querySelectorAll(HEAD)) {
      const state = String(pressed.includes(element.dataset.head));
      if (element.getAttribute("aria-pressed") !== state)
        element.setAttribute("aria-pressed", state);
    }
    const cells = [...document.querySelectorAll(".head-grid .cell")];
    if (cells.length && !cells.some((cell) => cell.tabIndex === 0)) cells[0].tabIndex = 0;
  }
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      mark();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });

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
    if (wasDragged) tell([...cells].map((cell) => cell.dataset.head), mode);
    // The click that may follow a drag belongs to it; one that comes later doesn't.
    setTimeout(() => (wasDragged = false), 0);
  };
  document.addEventListener("pointerup", endDrag);
  document.addEventListener("pointercancel", () => (drag = null));

  document.addEventListener("click", (event) => {
    const element = event.target.closest(HEAD);
    if (!element || wasDragged) return;
    tell([element.dataset.head], element.dataset.mode || "toggle");
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
    const row = cell.parentElement.querySelectorAll(`[data-head^="L${layer}H"]`);
    const target = {
      ArrowLeft: [layer, head - 1],
      ArrowRight: [layer, head + 1],
      ArrowUp: [layer + 1, head],
      ArrowDown: [layer - 1, head],
      Home: [layer, 0],
      End: [layer, row.length - 1],
    }[key];
    return target && cell.parentElement.querySelector(`[data-head="L${target[0]}H${target[1]}"]`);
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { heads });
})();
