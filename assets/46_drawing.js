// The circuit's drawing by hand: what is selected, moved and named there is told to the server,
// which keeps it in the page. Keys move between nodes; buttons open a node's or edge's detail.
(function () {
  "use strict";

  const GRAPH = "circuit-graph";
  const KEYS = "Circuit graph. Arrow keys move between nodes, Shift extends, Enter shows the " +
    "detail, H hides, P pins, Escape clears.";
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const graph = () => document.getElementById(GRAPH)?._cyreg?.cy;

  // Guides can't be selected; a group stands beside its members.
  const withMembers = (nodes) => nodes.union(nodes.descendants());
  const tell = (what, nodes, name = "") => setProps("circuit-drawn", {
    data: {
      do: what,
      name,
      nodes: nodes.map((node) => ({ id: node.id(), ...node.position() })),
      at: Date.now(),
    },
  });
  const act = (what) => {
    const cy = graph();
    if (!cy) return;
    const chosen = cy.nodes(":selected");
    const input = document.getElementById("circuit-name");
    tell(what, what === "rename" || what === "ungroup" ? chosen : withMembers(chosen),
      input ? input.value : "");
    if (what === "hide") chosen.unselect();
    if (input && (what === "rename" || what === "group")) setProps("circuit-name", { value: "" });
  };

  // One of both, so that nobody has to ask which came last.
  const open = (part, isEdge) => setProps(GRAPH, {
    tapNodeData: part && !isEdge ? part : null,
    tapEdgeData: part && isEdge ? part : null,
  });
  const openPart = (part) => {
    const cy = graph();
    const isEdge = "source" in part;
    if (cy) {
      const same = (edge) => ["source", "target", "via", "position"].every(
        (name) => (edge.data(name) ?? null) === (part[name] ?? null));
      cy.elements().unselect();
      (isEdge ? cy.edges().filter(same) : cy.getElementById(part.id)).select();
    }
    open({ ...part, timeStamp: performance.now() }, isEdge);
  };

  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-draw], [data-part]");
    if (!button || button.disabled) return;
    if (button.dataset.draw) act(button.dataset.draw);
    if (button.dataset.part) openPart(JSON.parse(button.dataset.part));
  });

  // Keys

  // How much worse a step sideways is than one straight on: rows are far apart, and uneven.
  const STEPS = {
    ArrowLeft: { x: -1, y: 0, aside: 4 },
    ArrowRight: { x: 1, y: 0, aside: 4 },
    ArrowUp: { x: 0, y: -1, aside: 0.5 },
    ArrowDown: { x: 0, y: 1, aside: 0.5 },
  };
  const LEAST_STEP = 12; // px
  let standing = null; // {id, x, y} of the node that keys or clicks were at last
  const stand = (node) => { standing = { id: node.id(), ...node.position() }; };
  const neighbour = (cy, here, step) => {
    let best = null;
    cy.nodes().forEach((node) => {
      if (!node.selectable() || node.isParent()) return;
      const dx = node.position().x - here.x;
      const dy = node.position().y - here.y;
      const along = dx * step.x + dy * step.y;
      if (along < LEAST_STEP) return;
      const cost = along + step.aside * Math.abs(step.x ? dy : dx);
      if (!best || cost < best.cost) best = { node, cost };
    });
    return best && best.node;
  };
  const firstOf = (cy) => {
    const nodes = cy.nodes().filter((node) => node.selectable() && !node.isParent());
    const order = (a, b) => b.position().y - a.position().y || a.position().x - b.position().x;
    return nodes.sort(order)[0];
  };
  const chosenIn = (cy) => {
    const chosen = cy.nodes(":selected").filter((node) => !node.isParent());
    return chosen.filter((node) => node.id() === standing?.id)[0] || chosen[0];
  };
  const move = (cy, step, extends_) => {
    // Where nothing is selected any more, the keys go on from where they were.
    const here = chosenIn(cy)?.position() || standing;
    const next = here ? neighbour(cy, here, step) : firstOf(cy);
    if (!next) return;
    if (!extends_) cy.elements().unselect();
    stand(next);
    next.select();
  };
  const press = (key) => {
    const cy = graph();
    if (!cy || key.ctrlKey || key.metaKey || key.altKey) return false;
    const name = key.key.length === 1 ? key.key.toLowerCase() : key.key;
    if (STEPS[name]) move(cy, STEPS[name], key.shiftKey);
    else if (name === "h" || name === "p") act({ h: "hide", p: "pin" }[name]);
    else if (name === "Enter") {
      const node = chosenIn(cy);
      if (node) open({ ...node.data(), timeStamp: performance.now() }, false);
    } else if (name === "Escape") {
      cy.elements().unselect();
      open(null, false);
    } else return false;
    return true;
  };
  document.addEventListener("keydown", (key) => {
    if (key.target.id === GRAPH && press(key)) key.preventDefault();
    if (key.target.id === "circuit-name" && key.key === "Enter") {
      key.preventDefault();
      const cy = graph();
      if (cy) act(cy.nodes(":selected").length > 1 ? "group" : "rename");
    }
  });

  // A node that was dragged stays where it was put. All that moved with it comes at once.
  const moved = new Set();
  const dragged = (event) => {
    if (!moved.size) setTimeout(() => {
      const cy = event.cy;
      const nodes = cy.collection().union([...moved].map((id) => cy.getElementById(id)));
      moved.clear();
      tell("drag", withMembers(nodes).filter((node) => !node.isParent()));
    }, 0);
    moved.add(event.target.id());
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.drawing = {
    // The toolbar as it fits the selection; see the outputs of its callback.
    offer(selected, drawing) {
      const { pinned = [], hidden = [], names = [], groups = [] } = drawing || {};
      const nodes = (selected || []).filter((node) => !hidden.includes(node.id));
      const boxes = nodes.filter((node) => node.kind === "group");
      const plain = nodes.filter((node) => node.kind !== "group");
      const none = nodes.length === 0;
      const isPinned = plain.length > 0 &&
        plain.every((node) => pinned.some(([id]) => id === node.id));
      const isGrouped = boxes.length > 0 ||
        plain.some((node) => groups.some(([, members]) => members.includes(node.id)));
      const says = none ? "no node selected"
        : nodes.length === 1 ? nodes[0].name || nodes[0].label : `${nodes.length} nodes`;
      return [
        says,
        none ? says : `name for ${says}`,
        none, none, nodes.length !== 1, plain.length < 2,
        isPinned ? "Unpin" : "Pin", `Show ${hidden.length} hidden`,
        isGrouped, !isGrouped, hidden.length === 0,
        pinned.length + hidden.length + names.length + groups.length === 0,
        none,
      ];
    },
  };

  const known = new WeakSet();
  const prepare = () => {
    const box = document.getElementById(GRAPH);
    const cy = graph();
    if (!cy || known.has(cy)) return;
    known.add(cy);
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", KEYS);
    box.addEventListener("mousedown", () => box.focus({ preventScroll: true }));
    // Whoever removes a box with new elements would take its nodes along.
    const remove = cy.remove.bind(cy);
    cy.remove = (elements) => {
      cy.$(elements).filter(":parent").children().difference(elements).move({ parent: null });
      return remove(elements);
    };
    cy.on("dragfree", "node", dragged);
    cy.on("tap", "node", (event) => stand(event.target));
  };
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      prepare();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
