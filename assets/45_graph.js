// Graphs: elements at given places, drawn by cytoscape.js into the room there is.
// A spec is {name, elements, stylesheet, view}; view = {shape, shapes, extents, drawing, fixed,
// label}. The elements come in one shape, `shapes` says what differs in the others and `extents`
// how large each is: the browser takes the one that fits. Buttons with data-graph-do zoom, fit and
// enlarge the graph of their .graph-box.
(function () {
  "use strict";

  const av = (window.attentionViz = window.attentionViz || {});
  av.drawers = av.drawers || {};

  const PADDING = 6; // px around the drawing
  const HEIGHTS = [220, 760]; // px of a graph in the page, as its drawing needs
  const MOST_ZOOM = 1.25; // that fitting makes of few nodes
  const MOST_ZOOM_FULL = 2;
  const ZOOMS = [0.1, 4]; // that a person may zoom to
  const STEP = 1.25; // of the zoom buttons
  const WHEEL = 0.0016; // of the zoom's logarithm for each px that a wheel turns

  const graphs = new WeakMap(); // element → what is drawn there
  const boxOf = (element) => element.closest(".graph-box");
  const isFull = (element) => boxOf(element)?.classList.contains("graph-full") ?? false;
  const graphIn = (box) => graphs.get(box?.querySelector(".graph"));

  // Shapes

  // What the elements are in a shape: places and data that differ there are laid over them.
  const shaped = (spec, name) => {
    const changes = spec.view?.shapes?.[name];
    if (!changes) return spec.elements;
    return spec.elements.map((element) => {
      const change = changes[element.data.id];
      if (!change) return element;
      const [x, y, data] = change;
      const moved = { ...element, data: { ...element.data, ...data } };
      if (x !== null) moved.position = { x, y };
      return moved;
    });
  };
  const sizeOf = ([left, top, right, bottom]) => ({ w: right - left, h: bottom - top });
  const roomOf = (element) => {
    const isLarge = isFull(element);
    return {
      w: element.clientWidth - 2 * PADDING,
      h: (isLarge ? element.clientHeight : HEIGHTS[1]) - 2 * PADDING,
      zoom: isLarge ? MOST_ZOOM_FULL : MOST_ZOOM,
    };
  };
  // The one with the largest letters, up to their own size; of like ones that which fills the room.
  const bestShape = (element, spec) => {
    const own = spec.view?.shape || "";
    const names = Object.keys(spec.view?.extents || { [own]: null });
    if (names.length === 1 || !element.clientWidth) return own;
    const room = roomOf(element);
    const worth = (name) => {
      const size = sizeOf(spec.view.extents[name]);
      const zoom = Math.min(room.zoom, room.w / size.w, room.h / size.h);
      const filled = (zoom * zoom * size.w * size.h) / (room.w * room.h);
      return Math.min(zoom, 1) * (1 + 0.4 * filled);
    };
    const worths = names.map(worth);
    return names[worths.indexOf(Math.max(...worths))];
  };

  // Drawing

  const make = (element, spec) => {
    const cy = window.cytoscape({
      container: element,
      elements: [],
      style: spec.stylesheet,
      layout: { name: "preset" },
      minZoom: ZOOMS[0],
      maxZoom: ZOOMS[1],
      userZoomingEnabled: false, // the wheel scrolls the page
      boxSelectionEnabled: false,
      autoungrabify: Boolean(spec.view?.fixed),
    });
    element.tabIndex = 0;
    element.setAttribute("role", spec.view?.drawing ? "application" : "img");
    if (spec.view?.label) element.setAttribute("aria-label", spec.view.label);
    element.addEventListener("mousedown", () => element.focus({ preventScroll: true }));
    element.addEventListener("wheel", (wheel) => turn(element, wheel), { passive: false });
    hover(cy);
    const graph = { cy, element, spec: null, shape: null, style: JSON.stringify(spec.stylesheet) };
    graphs.set(element, graph);
    return graph;
  };

  // What the mouse is on steps forward: an edge's number, a node's edges.
  const hover = (cy) => {
    cy.on("mouseover", "edge", ({ target }) => target.addClass("hovered"));
    cy.on("mouseover", "node", ({ target }) => {
      if (target.isParent() || !target.selectable()) return;
      const near = target.connectedEdges();
      cy.batch(() => {
        near.addClass("near");
        cy.edges(".crowded").difference(near).addClass("far");
      });
    });
    cy.on("mouseout", () => cy.elements(".hovered, .near, .far").removeClass("hovered near far"));
  };

  const isElsewhere = (node, place) => {
    const at = node.position();
    return Math.abs(at.x - place.x) > 0.05 || Math.abs(at.y - place.y) > 0.05;
  };
  const own = ["hovered", "near", "far"]; // classes that are set here
  const restyle = (known, element) => {
    const classes = (element.classes || "").split(" ").filter(Boolean);
    const kept = own.filter((name) => known.hasClass(name));
    if (known.classes().filter((name) => !own.includes(name)).join(" ") !== classes.join(" ")) {
      known.classes([...classes, ...kept]);
    }
    const changed = {};
    for (const [name, value] of Object.entries(element.data)) {
      if (name !== "parent" && known.data(name) !== value) changed[name] = value;
    }
    if (Object.keys(changed).length) known.data(changed);
  };
  // Only what is new, gone or different is touched.
  const update = (cy, elements) => {
    const wanted = new Set(elements.map(({ data }) => data.id));
    const gone = cy.elements().filter((part) => !wanted.has(part.id()));
    gone.filter(":parent").children().difference(gone).move({ parent: null });
    gone.remove();
    const [nodes, edges] = [[], []];
    for (const element of elements) {
      const known = cy.getElementById(element.data.id);
      if (known.empty()) {
        (element.group === "edges" ? edges : nodes).push(structuredClone(element));
        continue;
      }
      restyle(known, element);
      if (element.group === "edges") continue;
      const parent = element.data.parent ?? null;
      if ((known.data("parent") ?? null) !== parent) known.move({ parent });
      const place = element.position;
      if (place && !known.grabbed() && isElsewhere(known, place)) known.position({ ...place });
    }
    // A box that came with its members has to be there before they move into it.
    cy.add(nodes);
    cy.add(edges);
  };
  const boxesFirst = (elements) =>
    [...elements].sort((a, b) => Number(b.data.kind === "group") - Number(a.data.kind === "group"));
  const addBoxes = (cy, elements) => {
    const boxes = elements.filter(
      ({ data }) => data.kind === "group" && cy.getElementById(data.id).empty());
    cy.add(structuredClone(boxes));
  };

  const draw = (graph, spec) => {
    const { cy, element } = graph;
    const style = JSON.stringify(spec.stylesheet);
    if (style !== graph.style) cy.style().fromJson(spec.stylesheet).update();
    graph.style = style;
    const shape = bestShape(element, spec);
    const elements = JSON.stringify([shape, spec.elements, spec.view]);
    if (elements !== graph.elements) {
      cy.batch(() => {
        addBoxes(cy, spec.elements);
        update(cy, boxesFirst(shaped(spec, shape)));
      });
    }
    Object.assign(graph, { spec, shape, elements });
    fitIfNew(graph);
    if (graph.spec.view?.drawing) av.drawing?.watch(graph);
  };

  // A node that was dragged does not fit the drawing anew; other nodes or another room do.
  const fitIfNew = (graph) => {
    const { cy, element, shape } = graph;
    if (!element.clientWidth) return;
    const nodes = cy.nodes().filter((node) => !node.isParent()).map((node) => node.id());
    const high = isFull(element) ? element.clientHeight : 0;
    const key = JSON.stringify([element.clientWidth, high, shape, nodes.sort()]);
    if (key === graph.fitted) return;
    graph.fitted = key;
    fit(graph);
  };
  // The server knows how far a drawing reaches; asking cytoscape takes half a second of 500 edges.
  const fit = (graph, isDrawn = false) => {
    const { cy, element, spec, shape } = graph;
    if (!element.clientWidth || cy.elements().empty()) return;
    const known = isDrawn ? null : spec.view?.extents?.[shape];
    const box = known ? null : cy.elements().boundingBox();
    const [left, top, right, bottom] = known || [box.x1, box.y1, box.x2, box.y2];
    if (!(right - left > 1)) return;
    const room = roomOf(element);
    const zoom = Math.min(room.zoom, room.w / (right - left), room.h / Math.max(1, bottom - top));
    if (!isFull(element)) {
      const high = Math.round((bottom - top) * zoom + 2 * PADDING);
      element.style.height = `${Math.max(HEIGHTS[0], high)}px`;
    }
    cy.resize();
    const pan = {
      x: element.clientWidth / 2 - (zoom * (left + right)) / 2,
      y: element.clientHeight / 2 - (zoom * (top + bottom)) / 2,
    };
    cy.viewport({ zoom, pan });
  };

  av.drawers.graph = (element, spec) => {
    if (!window.cytoscape) return;
    const known = graphs.get(element);
    draw(known || make(element, spec), spec);
    showPressed(boxOf(element));
  };
  // The room of a graph may change with nothing drawn anew: a tab is opened, the window grows.
  const again = (graph) => graph?.spec && draw(graph, graph.spec);

  // Zoom

  const zoomBy = ({ cy, element }, factor, at) => {
    const middle = { x: element.clientWidth / 2, y: element.clientHeight / 2 };
    cy.zoom({ level: cy.zoom() * factor, renderedPosition: at || middle });
  };
  const turn = (element, wheel) => {
    if (!wheel.ctrlKey && !wheel.metaKey && !isFull(element)) return;
    wheel.preventDefault();
    const box = element.getBoundingClientRect();
    const at = { x: wheel.clientX - box.left, y: wheel.clientY - box.top };
    const pixels = wheel.deltaY * (wheel.deltaMode === 1 ? 20 : 1);
    zoomBy(graphs.get(element), Math.exp(-WHEEL * Math.max(-300, Math.min(300, pixels))), at);
  };

  // Wide and full screen

  const showPressed = (box) => {
    if (!box) return;
    const isWide = box.closest(".view-columns")?.classList.contains("graph-wide") ?? false;
    const pressed = { wide: isWide, full: box.classList.contains("graph-full") };
    for (const [what, is] of Object.entries(pressed)) {
      for (const button of box.querySelectorAll(`[data-graph-do="${what}"]`)) {
        button.setAttribute("aria-pressed", String(is));
      }
    }
  };
  const widen = (box) => {
    const columns = box.closest(".view-columns");
    if (!columns) return;
    columns.classList.toggle("graph-wide");
    again(graphIn(box));
    showPressed(box);
    box.scrollIntoView({ block: "nearest" });
  };
  let full = null; // {box, before}: what fills the window, and what had the focus before
  const enlarge = (box) => {
    full = { box, before: document.activeElement };
    box.classList.add("graph-full");
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    box.setAttribute("aria-label", "Graph, full screen");
    // Above everything, whatever box it is in
    box.setAttribute("popover", "manual");
    box.showPopover?.();
    settle(box);
    graphIn(box)?.element.focus({ preventScroll: true });
  };
  const shrink = () => {
    const { box, before } = full;
    full = null;
    box.hidePopover?.();
    for (const name of ["popover", "role", "aria-modal", "aria-label"]) box.removeAttribute(name);
    box.classList.remove("graph-full");
    settle(box);
    before?.focus?.({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  };
  const settle = (box) => {
    const graph = graphIn(box);
    if (graph) graph.element.style.height = "";
    again(graph);
    showPressed(box);
  };

  const acts = {
    in: (box) => zoomBy(graphIn(box), STEP),
    out: (box) => zoomBy(graphIn(box), 1 / STEP),
    fit: (box) => fit(graphIn(box), true),
    wide: widen,
    full: (box) => (full ? shrink() : enlarge(box)),
  };
  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-graph-do]");
    const box = button && boxOf(button);
    if (box && graphIn(box)) acts[button.dataset.graphDo]?.(box);
  });

  // Full screen, Escape leaves, and Tab goes round inside.
  const stops = (box) =>
    [...box.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
      .filter((stop) => stop.tabIndex >= 0 && !stop.disabled && stop.getClientRects().length);
  document.addEventListener("keydown", (key) => {
    if (!full) return;
    if (!full.box.isConnected) full = null;
    else if (key.key === "Escape") {
      key.preventDefault();
      key.stopPropagation();
      shrink();
    } else if (key.key === "Tab") {
      const all = stops(full.box);
      const [first, last] = [all[0], all[all.length - 1]];
      const edge = key.shiftKey ? first : last;
      if (document.activeElement !== edge && full.box.contains(document.activeElement)) return;
      key.preventDefault();
      (key.shiftKey ? last : first)?.focus();
    }
  }, true);
  // + and − where the graph has the focus
  document.addEventListener("keydown", (key) => {
    const graph = graphs.get(key.target);
    if (!graph || key.ctrlKey || key.metaKey || key.altKey) return;
    const factor = { "+": STEP, "=": STEP, "-": 1 / STEP }[key.key];
    if (factor) zoomBy(graph, factor);
    else if (key.key === "0") fit(graph, true);
    else return;
    key.preventDefault();
  });

  // As the server drew it last
  const restore = (graph) => {
    graph.elements = null;
    again(graph);
  };
  av.graphs = { of: (element) => graphs.get(element), again, restore };
})();
