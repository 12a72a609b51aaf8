// The circuit's drawing by hand: pins, hidden nodes, names and groups are fields of the page,
// changed here; nothing asks the server but the drawing itself, once, for its new routes. While
// a node is dragged its edges keep their bows. Keys move between nodes; Enter, a click and
// buttons that choose a part (data-choose) choose the one whose detail is shown.
(function () {
  "use strict";

  const av = window.attentionViz;

  const GRAPH = "circuit-graph";
  const MOST = 200; // items of each field that a page keeps
  const LONGEST = 40; // characters of a name
  const FARTHEST = 20000; // px that a node may be from the middle
  const WHAT = {
    pinned: "pinned nodes", hidden: "hidden nodes", names: "names", groups: "groups",
    opened: "opened MLPs",
  };
  const graph = () => av.graphs?.of(document.getElementById(GRAPH));
  const view = () => graph()?.cy;
  const box = () => document.getElementById(GRAPH)?.closest(".graph-box") || document;
  const state = () => ({
    pinned: [], hidden: [], names: [], groups: [], folds: true, opened: [], ...(av.page?.circuit || {}),
  });

  // What is done to nodes [{id, x, y}]: from the page's fields, those that change

  class Refused extends Error {
    constructor(message, remedy) {
      super(message);
      this.remedy = remedy;
    }
  }
  const groupNumber = ({ groups }, id) => {
    const match = /^group:(\d+)$/.exec(id);
    return match && Number(match[1]) < groups.length ? Number(match[1]) : null;
  };
  // Boxes stand beside their members
  const plain = (page, nodes) => nodes.filter(({ id }) => groupNumber(page, id) === null);
  const need = (nodes, least = 1) => {
    if (nodes.length >= least) return;
    throw new Refused(
      nodes.length ? "Only one node is selected." : "No node is selected.",
      "Click a node of the graph; Shift-click selects several.");
  };
  const newName = ({ groups }) => {
    const taken = new Set(groups.map(([name]) => name));
    let number = 1;
    while (taken.has(`group ${number}`)) number += 1;
    return `group ${number}`;
  };
  const isFolded = ({ folds, opened }) => folds && opened.length === 0;
  const round = (at) => Math.round(at * 10) / 10;
  const drag = (page, nodes) => {
    const isNear = ({ x, y }) => Math.abs(x) <= FARTHEST && Math.abs(y) <= FARTHEST;
    const placed = plain(page, nodes).filter(isNear);
    const moved = new Set(placed.map(({ id }) => id));
    const kept = page.pinned.filter(([id]) => !moved.has(id));
    return { pinned: [...kept, ...placed.map(({ id, x, y }) => [id, round(x), round(y)])] };
  };
  const acts = {
    drag,
    // Where they are; where all of them are pinned, lets go of them
    pin(page, nodes) {
      const chosen = plain(page, nodes);
      need(chosen);
      const ids = new Set(chosen.map(({ id }) => id));
      const pinned = new Set(page.pinned.map(([id]) => id));
      if (![...ids].every((id) => pinned.has(id))) return drag(page, chosen);
      return { pinned: page.pinned.filter(([id]) => !ids.has(id)) };
    },
    hide(page, nodes) {
      const chosen = plain(page, nodes);
      need(chosen);
      return { hidden: [...new Set([...page.hidden, ...chosen.map(({ id }) => id)])] };
    },
    show: () => ({ hidden: [] }),
    // A box, or else the one node selected; an empty name is the node's own
    rename(page, nodes, name) {
      const numbers = nodes.map(({ id }) => groupNumber(page, id)).filter((n) => n !== null);
      if (numbers.length === 1) {
        const groups = [...page.groups];
        groups[numbers[0]] = [name || newName(page), groups[numbers[0]][1]];
        return { groups };
      }
      need(nodes);
      if (nodes.length > 1) {
        throw new Refused(`${nodes.length} nodes are selected.`, "Select the one to rename.");
      }
      const others = page.names.filter(([id]) => id !== nodes[0].id);
      return { names: name ? [...others, [nodes[0].id, name]] : others };
    },
    // Into a box of their own, and out of the boxes they were in
    group(page, nodes, name) {
      const chosen = plain(page, nodes).map(({ id }) => id);
      need(chosen, 2);
      const left = page.groups
        .map(([title, ids]) => [title, ids.filter((id) => !chosen.includes(id))])
        .filter(([, ids]) => ids.length);
      return { groups: [...left, [name || newName(page), chosen]] };
    },
    // The boxes selected, and those of selected nodes
    ungroup(page, nodes) {
      const ids = new Set(nodes.map(({ id }) => id));
      const isKept = ([, members], number) =>
        !ids.has(`group:${number}`) && !members.some((id) => ids.has(id));
      return { groups: page.groups.filter(isKept) };
    },
    // Stacks of MLPs: those of the selected ones, all at once, and back into their stacks
    open(page, nodes) {
      const members = nodes.flatMap(({ members }) => members || []);
      return { opened: [...new Set([...page.opened, ...members])] };
    },
    close(page, nodes) {
      const chains = new Set(nodes.flatMap(({ chain }) => chain || []));
      return { opened: page.opened.filter((id) => !chains.has(id)) };
    },
    fold: (page) => ({ folds: !isFolded(page), opened: [] }),
    reset: () => ({ pinned: [], hidden: [], names: [], groups: [], opened: [] }),
  };
  const redraw = (page, what, nodes, name = "") => {
    const changes = acts[what](page, nodes, name.trim().slice(0, LONGEST));
    for (const [field, value] of Object.entries(changes)) {
      if (!(value.length > MOST)) continue;
      throw new Refused(
        `A page keeps at most ${MOST} ${WHAT[field]}, not ${value.length}.`,
        "Press Reset drawing, or take fewer.");
    }
    // Places mean something in one shape only: that in which they were pinned.
    if (changes.pinned) {
      changes.shape = changes.pinned.length ? page.shape || graph()?.shape || "page" : "";
    }
    return changes;
  };

  const placesOf = (nodes) => nodes.map((node) => (
    { id: node.id(), members: node.data("members"), chain: node.data("chain"), ...node.position() }));
  const doIt = (what, nodes, name) => {
    const page = state();
    try {
      const changes = redraw(page, what, nodes, name);
      const fields = Object.entries(changes)
        .filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(page[field]))
        .map(([field, value]) => [`circuit.${field}`, value]);
      if (fields.length) av.change(Object.fromEntries(fields));
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { message, remedy } = error;
      av.say({ kind: "danger", title: "Drawing", message, remedy });
      return false;
    }
  };
  const withMembers = (nodes) => nodes.union(nodes.descendants());
  const nameBox = () => document.getElementById("circuit-name");
  const act = (what) => {
    const cy = view();
    if (!cy) return;
    const chosen = cy.nodes(":selected");
    const isWhole = what === "rename" || what === "ungroup";
    const nodes = isWhole ? chosen : withMembers(chosen);
    const isDone = doIt(what, placesOf(nodes), nameBox()?.value || "");
    if (isDone && what === "hide") chosen.unselect();
    if (isDone && nameBox() && (what === "rename" || what === "group")) nameBox().value = "";
    offer();
  };

  // The part whose detail is shown: {id}, or {source, target, via, position}

  const edgePart = (edge) => Object.fromEntries(
    ["source", "target", "via", "position"].map((name) => [name, edge.data(name) ?? null]));
  const choose = (part) => av.choose("circuit", part);
  const showChosen = (part) => {
    const cy = view();
    if (!cy) return;
    const wanted = JSON.stringify(["source", "target", "via", "position"]
      .map((name) => part[name] ?? null));
    const same = (edge) => JSON.stringify(Object.values(edgePart(edge))) === wanted;
    cy.elements().unselect();
    ("source" in part ? cy.edges().filter(same) : cy.getElementById(part.id)).select();
  };

  document.addEventListener("click", (click) => {
    const button = click.target.closest("button[data-draw], button[data-choose]");
    if (!button || button.disabled) return;
    if (button.dataset.draw) act(button.dataset.draw);
    const chosen = JSON.parse(button.dataset.choose || "{}").circuit;
    if (chosen) showChosen(chosen);
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
    const cy = view();
    if (!cy || key.ctrlKey || key.metaKey || key.altKey) return false;
    const name = key.key.length === 1 ? key.key.toLowerCase() : key.key;
    const isStack = Boolean(chosenIn(cy)?.data("members"));
    if (STEPS[name]) move(cy, STEPS[name], key.shiftKey);
    else if (name === "o") act(isStack ? "open" : "close");
    else if (name === "h" || name === "p") act({ h: "hide", p: "pin" }[name]);
    else if (name === "Enter") {
      const node = chosenIn(cy);
      if (node) choose({ id: node.id() });
    } else if (name === "Escape") {
      cy.elements().unselect();
      choose(null);
    } else return false;
    return true;
  };
  document.addEventListener("keydown", (key) => {
    if (key.target.id === GRAPH && press(key)) key.preventDefault();
    if (key.target.id === "circuit-name" && key.key === "Enter") {
      key.preventDefault();
      const cy = view();
      if (cy) act(cy.nodes(":selected").length > 1 ? "group" : "rename");
    }
  });

  // A node that was dragged stays where it was put. All that moved with it comes at once.
  const moved = new Set();
  const dragged = ({ cy, target }) => {
    if (!moved.size) setTimeout(() => {
      const nodes = cy.collection().union([...moved].map((id) => cy.getElementById(id)));
      moved.clear();
      const places = placesOf(withMembers(nodes).filter((node) => !node.isParent()));
      // Back to where it was, where a page can't keep it
      if (!doIt("drag", places)) av.graphs.restore(graph());
    }, 0);
    moved.add(target.id());
  };

  // The toolbar as it fits the selection

  const offer = () => {
    const cy = view();
    const page = state();
    const { pinned, hidden, names, groups } = page;
    const nodes = cy ? cy.nodes(":selected").map((node) => node.data()) : [];
    const inside = nodes.filter(({ kind }) => kind !== "group");
    const none = nodes.length === 0;
    const isPinned = inside.length > 0 &&
      inside.every((node) => pinned.some(([id]) => id === node.id));
    const isGrouped = inside.length < nodes.length ||
      inside.some((node) => groups.some(([, members]) => members.includes(node.id)));
    const says = none ? "no node selected"
      : nodes.length === 1 ? nodes[0].name || nodes[0].label : `${nodes.length} nodes`;
    const isPlain =
      pinned.length + hidden.length + names.length + groups.length + page.opened.length === 0;
    const isOpened = inside.length > 0 && inside.every(({ chain }) => chain);
    const offers = {
      pin: { disabled: none, text: isPinned ? "Unpin" : "Pin" },
      hide: { disabled: none },
      rename: { disabled: nodes.length !== 1 },
      group: { disabled: inside.length < 2, hidden: isGrouped },
      ungroup: { hidden: !isGrouped },
      close: { hidden: !isOpened },
      fold: {
        hidden: !graph()?.spec?.view?.folds,
        text: isFolded(page) ? "Unfold MLPs" : "Fold MLPs",
      },
      show: { hidden: hidden.length === 0, text: `Show ${hidden.length} hidden` },
      reset: { hidden: isPlain },
    };
    for (const button of box().querySelectorAll("[data-draw]")) {
      const { text, ...props } = offers[button.dataset.draw] || {};
      Object.assign(button, props);
      if (text !== undefined && button.textContent !== text) button.textContent = text;
    }
    const said = document.getElementById("circuit-selected");
    if (said && said.textContent !== says) said.textContent = says;
    const name = nameBox();
    if (name) Object.assign(name, {
      disabled: none, placeholder: none ? says : `name for ${says}`,
    });
  };

  let isDue = false;
  const offerSoon = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      offer();
    });
  };
  const known = new WeakSet();
  av.drawing = {
    redraw, // for tests: (page.circuit, what, nodes, name) → the fields that change
    // Called by the graph's drawer each time that it has drawn
    watch({ cy }) {
      offerSoon();
      if (known.has(cy)) return;
      known.add(cy);
      cy.on("dragfree", "node", dragged);
      cy.on("tap", "node", ({ target }) => {
        stand(target);
        if (target.data("members")) doIt("open", placesOf(target));
        else if (!target.isParent()) choose({ id: target.id() });
      });
      cy.on("tap", "edge", ({ target }) => choose(edgePart(target)));
      cy.on("select unselect", "node", offerSoon);
    },
  };
  av.onChange(offerSoon);
})();
