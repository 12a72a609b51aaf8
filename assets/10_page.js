// The page's state in the browser: parts derived from it, tabs, theme, link, token pickers.
(function () {
  "use strict";

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const part = (page, ...names) => Object.fromEntries(names.map((name) => [name, page[name]]));
  const nothing = () => window.dash_clientside.no_update;
  const change = (values) => {
    const patch = new window.dash_clientside.Patch();
    for (const [name, value] of Object.entries(values)) patch.assign([name], value);
    return patch.build();
  };

  // Before the first paint; the page's own choice follows as soon as it is known.
  const isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const setTheme = (theme) => document.documentElement.setAttribute("data-bs-theme", theme);
  setTheme(isDark ? "dark" : "light");

  const toast = (kind, title, message, remedy = "") =>
    [{ kind, title, message, remedy, at: Date.now() / 1000 }];

  const page = {
    // Each derived store changes only when its own part of the page does. They are set rather
    // than returned: Dash drops a callback that comes round to itself, and a change of the page
    // that follows from a change of the page is one.
    derive(page, status, ...before) {
      if (page.prompt === "") return;
      const ready = Boolean(status && status.name === page.model && status.state === "ready");
      const question = part(
        page, "model", "prompt", "counterfactual", "bos", "position", "answer", "distractor");
      const now = {
        // As PageState.question: the token to flip to is the distractor where none was chosen.
        "page-question": { ...question, distractor: page.distractor ?? page.flip_to, ready },
        "page-heads": page.heads,
        "page-ablation": part(page, "kind", "scale", "threshold", "seed"),
        "page-study": part(page, "metric", "objective", "flip_to", "max_heads", "strategy"),
        "page-circuit": part(
          page, "source", "pairs", "pair_count", "given_pairs", "method", "edge_kind", "cut",
          "edges", "mlps", "exact", "given_edges", "kept"),
        "page-drawing": part(page, "arranged", "pinned", "hidden", "names", "groups"),
        "page-view": page.view,
        "page-theme": page.theme,
      };
      Object.entries(now).forEach(([store, data], i) => {
        if (!same(data, before[i])) window.dash_clientside.set_props(store, { data });
      });
    },

    switchTheme(clicks, page) {
      return clicks ? change({ theme: page.theme === "dark" ? "light" : "dark" }) : nothing();
    },

    showTheme(theme) {
      if (theme) setTheme(theme);
    },

    openTab(...all) {
      const page = all.pop();
      const { triggered_id: id } = window.dash_clientside.callback_context;
      const view = (id || "").replace("tab-", "");
      return !id || view === page.view ? nothing() : change({ view });
    },

    showView(view, names) {
      // Figures drawn while hidden have no size; they ask again when the window says so.
      setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
      const hidden = names.map((name) => name !== view);
      return [...hidden, ...hidden.map((isHidden) => String(!isHidden))];
    },

    // The address asks for a state: at the start, and when somebody pastes a link into it.
    linkOpened() {
      const fragment = window.location.hash;
      return { fragment, theme: isDark ? "dark" : "light", at: Date.now() };
    },

    // Replaced rather than pushed: "Back" leaves the page instead of undoing clicks one by one.
    showFragment(fragment) {
      if (fragment) window.history.replaceState(window.history.state, "", fragment);
    },

    async copyLink(fragment) {
      const link = window.location.href.split("#")[0] + (fragment || "");
      const copied = await copy(link);
      return copied
        ? toast("success", "Link copied", "It holds the whole view: prompt, heads, settings.")
        : toast("warning", "Copy it yourself", link, "The browser doesn't let a page copy here.");
    },

    // Options that are no tokens: −2 chooses nothing; −1 says why what was typed is not one token.
    // The picker is empty (null) only while its options are on their way.
    pickToken(picker, field, value, options, page) {
      if (value === undefined || value === null) return nothing();
      if (value === -1) {
        const reason = (options || []).find((option) => option.value === -1);
        const says = toast("danger", "Not one token", reason ? String(reason.label) : "");
        window.dash_clientside.set_props("toast", { data: says });
        window.dash_clientside.set_props(picker, { value: optionOf(page, field) });
        return nothing();
      }
      const chosen = value === -2 ? null : value;
      return chosen === page[field] ? nothing() : change({ [field]: chosen });
    },

    // Set rather than returned: with the value as an Output, Dash would hold back a pick until the
    // options it caused have come, and by then this had put the old token back.
    showToken(picker, field, options, question, study, value, page) {
      const wanted = optionOf(page, field);
      const isOffered = wanted === null || (options || []).some((o) => o.value === wanted);
      if (isOffered && wanted !== (value ?? null)) {
        window.dash_clientside.set_props(picker, { value: wanted });
      }
    },
  };

  const optionOf = (page, field) =>
    page[field] === null && field !== "flip_to" ? -2 : page[field];

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (refused) {
      return copyBySelection(text);
    }
  }

  // Pages that are not served from this machine or over https have no clipboard.
  function copyBySelection(text) {
    const box = document.createElement("textarea");
    box.value = text;
    box.style.position = "fixed";
    document.body.append(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    return copied;
  }

  document.addEventListener("keydown", (key) => {
    const isTyping = key.target.closest("input, textarea, select, [contenteditable]");
    if (key.key === "Enter" && !key.shiftKey && key.target.closest(".prompt-box")) {
      key.preventDefault();
      document.getElementById("run").click();
    } else if (key.key === "?" && !isTyping && !key.ctrlKey && !key.metaKey) {
      document.getElementById("help-open").click();
    } else if (key.target.closest('[role="tablist"]')) {
      moveTab(key);
    }
  });

  // A menu that opens on what was chosen before takes letters as a search all the same.
  document.addEventListener("keydown", (key) => {
    const menu = key.target.closest && key.target.closest(".dash-dropdown-content");
    const search = menu && menu.querySelector("input[type=search]");
    const isLetter = key.key.length === 1 && key.key !== " " && !key.ctrlKey && !key.metaKey;
    if (search && isLetter && key.target !== search) search.focus();
  });

  function moveTab(key) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
    if (!step) return;
    const tabs = [...key.target.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
    const next = tabs[(tabs.indexOf(key.target) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  }

  window.addEventListener("hashchange", () => {
    window.dash_clientside.set_props("link-opened", { data: page.linkOpened() });
  });

  // Anything that names a position chooses the read-out.
  document.addEventListener("click", (click) => {
    const element = click.target.closest("[data-position]");
    if (!element) return;
    const data = { position: Number(element.dataset.position), at: Date.now() };
    window.dash_clientside.set_props("position-picked", { data });
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, { page });
})();
