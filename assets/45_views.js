// Buttons that need no server (events, values of controls), and how much room figures have.
(function () {
  "use strict";

  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-event], [data-set]");
    if (!button || button.disabled) return;
    const { event, payload, set, value } = button.dataset;
    if (event) {
      const data = { ...JSON.parse(payload || "{}"), at: Date.now() };
      dash_clientside.set_props(event, { data });
    }
    if (set) dash_clientside.set_props(set, { value: JSON.parse(value) });
  });

  // Maps and lenses have fixed sizes, drawn by the server: an element with data-room="store"
  // keeps that store told of its width in px.
  const STEP = 10; // px; a room that changes by less is the same room
  const told = {};
  const rooms = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const store = entry.target.dataset.room;
      const room = Math.floor(entry.contentRect.width / STEP) * STEP;
      if (!room || room === told[store]) continue;
      told[store] = room;
      dash_clientside.set_props(store, { data: room });
    }
  });

  // Cytoscape fits a graph to the box it had when its elements came, which may have been hidden.
  // The box is as wide as its column and as high as the graph then needs.
  const PADDING = 12; // px
  const HEIGHTS = [260, 640]; // px
  const fit = (box) => {
    const cy = box && box._cyreg && box._cyreg.cy;
    if (!cy || !box.clientWidth) return;
    const graph = cy.elements().boundingBox();
    if (!(graph.w > 1)) return; // nothing drawn
    const zoom = Math.min(cy.maxZoom(), (box.clientWidth - 2 * PADDING) / graph.w);
    const height = Math.round(graph.h * zoom + 2 * PADDING);
    box.style.height = `${Math.min(HEIGHTS[1], Math.max(HEIGHTS[0], height))}px`;
    cy.resize();
    cy.fit(undefined, PADDING);
  };
  // Only a new width fits anew: the height is what fitting sets.
  const widths = new WeakMap();
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (widths.get(target) === target.clientWidth) continue;
      widths.set(target, target.clientWidth);
      requestAnimationFrame(() => fit(target));
    }
  });
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.views = {
    // The first shape of a lens outlines the column read out.
    showReadOut(figure, name) {
      const box = document.getElementById(name)?.closest(".scroll-x");
      const outline = figure?.layout?.shapes?.[0];
      if (!box || !outline) return;
      const columns = figure.layout.xaxis.range[1] + 0.5;
      const share = (outline.x0 + 1) / columns;
      setTimeout(() => { box.scrollLeft = share * box.scrollWidth - box.clientWidth / 2; }, 100);
    },
    fitGraph(_shown, name) {
      // After the elements' own layout, which waits for 100 ms.
      for (const wait of [50, 200]) setTimeout(() => fit(document.getElementById(name)), wait);
    },
  };

  const watched = new WeakSet();
  const look = () => {
    for (const box of document.querySelectorAll("#circuit-graph")) {
      if (watched.has(box)) continue;
      watched.add(box);
      boxes.observe(box);
    }
    for (const element of document.querySelectorAll("[data-room]")) {
      if (watched.has(element)) continue;
      watched.add(element);
      rooms.observe(element);
    }
  };
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      look();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
