// Native controls that stand for a field, elements that depend on one, and what clicks do.
(function () {
  "use strict";

  const av = window.attentionViz;

  // A slider may stand for a list of numbers: its own value is then the place in the list.
  const steps = (control) => (control.dataset.values ? JSON.parse(control.dataset.values) : null);
  const nearest = (numbers, value) => numbers.reduce((best, number, i) =>
    Math.abs(number - value) < Math.abs(numbers[best] - value) ? i : best, 0);

  const valueOf = (control) => {
    if (control.type === "checkbox") return control.checked;
    if (control.dataset.values) return steps(control)[Number(control.value)];
    const isNumber = "number" in control.dataset;
    if (!isNumber) return control.value;
    const empty = "optional" in control.dataset ? null : NaN;
    const value = control.value === "" ? empty : Number(control.value);
    return control.validity && !control.validity.valid ? NaN : value;
  };
  const write = (control, value) => {
    if (value === null && "optional" in control.dataset) value = "";
    if (control.dataset.values) value = nearest(steps(control), value);
    if (control.type === "radio") control.checked = control.value === String(value);
    else if (control.type === "checkbox") control.checked = Boolean(value);
    else if (control.value !== String(value)) {
      if (document.activeElement === control && control.type === "number") return; // being typed
      control.value = value;
    }
  };
  const tell = (output, value) => {
    const { digits } = output.dataset;
    const text = digits === "percent" ? `${Math.round(100 * value)} %`
      : digits ? Number(value).toFixed(Number(digits)).replace("-", "−") : String(value);
    if (output.textContent !== text) output.textContent = text;
  };

  const follow = (root) => {
    if (!av.page) return;
    for (const control of root.querySelectorAll("[data-field]")) {
      write(control, av.get(control.dataset.field));
    }
    for (const element of root.querySelectorAll("[data-shown-if]")) {
      const [address, values] = JSON.parse(element.dataset.shownIf);
      element.hidden = !values.some((value) => av.same(value, av.get(address)));
    }
    for (const output of root.querySelectorAll("[data-told]")) {
      tell(output, av.get(output.dataset.told));
    }
    for (const tab of root.querySelectorAll("[data-tab]")) {
      const isOpen = tab.dataset.tab === av.page.shared.view;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
    }
  };
  av.onArrange(follow);
  av.onChange(() => follow(document));

  document.addEventListener("input", (event) => {
    const control = event.target;
    const { field } = control.dataset || {};
    if (!field || "late" in control.dataset) return;
    const value = valueOf(control);
    if (!Number.isNaN(value)) av.change({ [field]: value }, isLive(control) ? "live" : "push");
  });
  const isLive = (control) => ["range", "number", "text"].includes(control.type);
  document.addEventListener("change", (event) => {
    const control = event.target;
    const { field, local, actValue } = control.dataset || {};
    const value = valueOf(control);
    if (Number.isNaN(value)) return;
    if (field && "late" in control.dataset) av.change({ [field]: value });
    if (local) av.choose(local, value);
    if (actValue) av.act(actValue, { value });
    if (control.dataset.actFile) av.sendFile(control);
  });

  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-change], [data-choose], [data-position]");
    if (!button || button.disabled) return;
    const { change, choose, position } = button.dataset;
    if (change) av.change(JSON.parse(change));
    if (choose) Object.entries(JSON.parse(choose)).forEach(([name, value]) => av.choose(name, value));
    if (position !== undefined) av.readOut(Number(position));
  });

  // The last token is −1, whatever the prompt's length.
  av.readOut = (position) => {
    const count = document.querySelectorAll("#tokens [data-position]").length;
    av.change({ "shared.position": position === count - 1 ? -1 : position });
  };

  // Menus close when something is chosen, by Escape, and by a click elsewhere.
  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu-button[open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (click) => {
    const isChoice = click.target.closest(".menu-item");
    closeMenus(isChoice ? null : click.target.closest("details.menu-button"));
  });
  document.addEventListener("keydown", (key) => {
    if (key.key !== "Escape") return;
    const menu = key.target.closest?.("details.menu-button[open]");
    closeMenus(null);
    menu?.querySelector("summary").focus();
  });

  // Groups with one Tab stop: arrow keys move inside.
  document.addEventListener("keydown", (key) => {
    const group = key.target.closest?.("[data-roving]");
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key.key];
    const end = { Home: 0, End: -1 }[key.key];
    if (!group || (step === undefined && end === undefined)) return;
    const items = [...group.querySelectorAll("button")];
    const at = items.indexOf(key.target);
    const next = items.at(step === undefined ? end : (at + step + items.length) % items.length);
    key.preventDefault();
    items.forEach((item) => (item.tabIndex = item === next ? 0 : -1));
    next.focus();
    if (group.getAttribute("role") === "tablist") next.click();
  });

  document.addEventListener("keydown", (key) => {
    const isTyping = key.target.closest("input, textarea, select, [contenteditable]");
    if (key.key === "Enter" && !key.shiftKey && key.target.closest(".prompt-bar .prompt-box")) {
      key.preventDefault();
      document.getElementById("run").click();
    } else if (key.key === "?" && !isTyping && !key.ctrlKey && !key.metaKey) openHelp();
  });

  // Tab goes round in the help.
  document.addEventListener("keydown", (key) => {
    const sheet = key.key === "Tab" && key.target.closest?.(".help");
    if (!sheet) return;
    const stops = [...sheet.querySelectorAll("a[href], button, [tabindex='0']")];
    const edge = key.shiftKey ? stops[0] : stops[stops.length - 1];
    const isInside = stops.includes(document.activeElement) && document.activeElement !== edge;
    if (isInside) return;
    key.preventDefault();
    (key.shiftKey ? stops[stops.length - 1] : stops[0])?.focus();
  });
  const openHelp = () => window.dash_clientside.set_props("help", { is_open: true });
  document.addEventListener("click", (click) => {
    if (click.target.closest("#help-open")) openHelp();
    if (click.target.closest("#theme-switch")) {
      av.change({ "shared.theme": av.theme() === "dark" ? "light" : "dark" }, "replace");
    }
    const skip = click.target.closest("#skip");
    if (skip) {
      click.preventDefault();
      document.getElementById("view").focus();
    }
  });
  const showTheme = () => {
    const { theme } = av.page.shared;
    if (av.theme() === theme) return;
    document.documentElement.setAttribute("data-bs-theme", theme);
    av.redraw();
  };
  av.onChange(showTheme);
  document.addEventListener("av-begin", showTheme);

  // Whether the texts differ from those last run: then what is shown is older than what is typed.
  const markEdited = () => {
    const box = document.getElementById("prompt");
    if (!av.page || !box) return;
    const { prompt, counterfactual } = av.page.shared;
    const isEdited = prompt !== "" && (box.value !== prompt
      || document.getElementById("counterfactual").value !== counterfactual);
    document.getElementById("results").classList.toggle("is-edited", isEdited);
    document.getElementById("edited-note").hidden = !isEdited;
  };
  document.addEventListener("input", (event) => {
    if (event.target.closest(".prompt-bar .prompt-box")) markEdited();
  });
  av.onChange(markEdited);
})();
