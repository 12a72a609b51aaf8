// The page's state in the browser, and how it changes. Everything else hangs on `av`.
(function () {
  "use strict";

  const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);
  const copy = (value) => JSON.parse(JSON.stringify(value));
  const listeners = [];

  const av = {
    page: null, // by section: {shared: {…}, settings: {…}, circuit: {…}, …}
    defaults: null,
    views: {}, // skeletons, by view
    waves: {}, // parts that are asked for behind the others
    local: {}, // what was chosen on the page and is not in its link, such as the node clicked
    model: { state: "" }, // how the page's model stands
    drawers: {}, // by class of the element: draw(element, spec)
    same,

    // "circuit.edges", "local.attention.table"
    get(address) {
      const at = address.indexOf(".");
      const [section, field] = [address.slice(0, at), address.slice(at + 1)];
      return section === "local" ? av.local[field] ?? null : av.page[section]?.[field];
    },

    // Sets fields by address. `how`: "push" makes a step that can be undone (the default), "live"
    // one that goes on while a slider moves, "replace" belongs to the step before.
    change(values, how = "push") {
      const changed = Object.entries(values).filter(([name, value]) => !same(av.get(name), value));
      if (!changed.length) return false;
      const next = { ...av.page };
      for (const [address, value] of changed) {
        const [section, field] = address.split(".");
        next[section] = { ...next[section], [field]: value };
      }
      av.show(next, how, changed.map(([address]) => address));
      return true;
    },

    show(next, how, addresses = []) {
      const before = av.page;
      av.page = next;
      for (const listen of listeners) listen(next, before, how, addresses);
      av.refresh();
    },

    onChange(listen) {
      listeners.push(listen);
    },

    // What people chose that no link holds; null forgets it.
    choose(name, value) {
      if (same(av.local[name] ?? null, value)) return;
      if (value === null) delete av.local[name];
      else av.local[name] = value;
      av.refresh();
    },

    // The state without what equals the default, as links and questions hold it.
    sparse(page = av.page) {
      const chosen = {};
      for (const [section, values] of Object.entries(page)) {
        for (const [name, value] of Object.entries(values)) {
          if (same(value, av.defaults[section]?.[name])) continue;
          (chosen[section] ||= {})[name] = value;
        }
      }
      return chosen;
    },

    whole(sparse) {
      const page = copy(av.defaults);
      for (const [section, values] of Object.entries(sparse)) Object.assign(page[section], values);
      return page;
    },

    theme: () => document.documentElement.getAttribute("data-bs-theme") || "light",

    begin(start) {
      av.defaults = start.defaults;
      av.views = start.views;
      av.waves = start.waves;
      av.model = start.model;
      av.page = start.page;
      av.page.shared.theme = prefersDark.matches ? "dark" : "light";
      av.texts({ prompt: start.page.shared.prompt, counterfactual: start.page.shared.counterfactual });
      document.dispatchEvent(new CustomEvent("av-begin"));
    },

    // Texts of boxes, by id.
    texts(values) {
      for (const [id, value] of Object.entries(values)) {
        const box = document.getElementById(id);
        if (box && box.value !== value) {
          box.value = value;
          box.dispatchEvent(new Event("input", { bubbles: true }));
        }
      }
    },
  };

  // Before the first paint; the page's own choice follows as soon as it is known.
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.setAttribute("data-bs-theme", prefersDark.matches ? "dark" : "light");

  // What was chosen about one prompt says nothing about another one.
  av.onChange((now, before) => {
    const isOther = ["model", "prompt"].some((name) => now.shared[name] !== before.shared[name]);
    if (!isOther) return;
    const wanted = av.local["model.wanted"];
    av.local = wanted ? { "model.wanted": wanted } : {};
  });

  window.attentionViz = av;
})();
