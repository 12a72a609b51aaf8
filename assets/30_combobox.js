// Boxes with a list of what can be chosen: tokens of the vocabulary, heads. The combobox pattern of
// the ARIA guide: focus stays in the box, arrow keys move in the list, Enter takes, Escape leaves.
(function () {
  "use strict";

  const av = window.attentionViz;
  const PAUSE = 120; // ms of typing before the server is asked
  let open = null; // {box, list, options, at}

  const isTokens = (box) => "combo" in box.dataset;
  const isHeads = (box) => "comboHeads" in box.dataset;
  const boxOf = (event) => event.target.closest?.("[data-combo], [data-combo-heads]");

  const allHeads = () => {
    const { layers = 0, heads = 0 } = av.model;
    const names = [];
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < heads; head++) names.push(`L${layer}H${head}`);
    }
    return names;
  };
  const headOptions = (typed) => {
    const wanted = typed.trim().toUpperCase();
    return allHeads().filter((name) => name.includes(wanted)).slice(0, 60).map((name) => ({
      value: name, label: name, note: av.page.shared.heads.includes(name) ? "selected" : "",
    }));
  };
  const usualOptions = (box) =>
    isHeads(box) ? headOptions("") : JSON.parse(box.dataset.options || "[]");

  const draw = (options, why = "") => {
    if (!open) return;
    const { box, list } = open;
    open.options = options;
    open.at = options.length ? 0 : -1;
    list.replaceChildren(...options.map(({ label, note }, i) => {
      const line = document.createElement("li");
      line.id = `${box.id}-option-${i}`;
      line.setAttribute("role", "option");
      const name = document.createElement("code");
      name.textContent = label;
      const small = document.createElement("small");
      small.textContent = note || "";
      line.append(name, small);
      line.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(i);
      });
      return line;
    }));
    if (why) {
      const line = document.createElement("li");
      line.className = "why";
      line.setAttribute("role", "option");
      line.setAttribute("aria-disabled", "true");
      line.textContent = why;
      list.append(line);
    }
    point();
  };
  const point = () => {
    const lines = [...open.list.querySelectorAll("[role=option]")];
    lines.forEach((line, i) => line.setAttribute("aria-selected", String(i === open.at)));
    const line = open.at >= 0 ? lines[open.at] : null;
    if (line) {
      open.box.setAttribute("aria-activedescendant", line.id);
      line.scrollIntoView({ block: "nearest" });
    } else open.box.removeAttribute("aria-activedescendant");
  };

  const show = (box) => {
    if (open?.box === box) return;
    hide();
    const list = document.createElement("ul");
    list.id = `${box.id}-list`;
    list.className = "combo-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", box.getAttribute("aria-label"));
    (box.closest("main") || document.body).append(list);
    box.setAttribute("aria-controls", list.id);
    box.setAttribute("aria-expanded", "true");
    open = { box, list, options: [], at: -1 };
    const place = box.getBoundingClientRect();
    const above = place.bottom + 260 > window.innerHeight && place.top > 280;
    Object.assign(list.style, {
      left: `${Math.min(place.left, window.innerWidth - 250)}px`,
      minWidth: `${Math.max(place.width, 180)}px`,
      ...(above ? { bottom: `${window.innerHeight - place.top + 3}px` } : { top: `${place.bottom + 3}px` }),
    });
    draw(usualOptions(box));
  };
  const hide = () => {
    if (!open) return;
    open.box.setAttribute("aria-expanded", "false");
    open.box.removeAttribute("aria-activedescendant");
    open.box.removeAttribute("aria-controls");
    open.list.remove();
    open = null;
  };
  const take = (i) => {
    const { box, options } = open;
    const chosen = options[i];
    if (!chosen) return;
    hide();
    if (isHeads(box)) {
      box.value = "";
      av.pick([chosen.value], "toggle");
    } else {
      box.value = chosen.label;
      box.dataset.shown = chosen.label;
      av.change({ [box.dataset.combo]: chosen.value });
    }
  };

  let pause = null;
  const search = (box) => {
    const typed = box.value;
    clearTimeout(pause);
    if (isHeads(box)) return draw(headOptions(typed), "");
    if (!typed || typed === box.dataset.shown) return draw(usualOptions(box));
    pause = setTimeout(async () => {
      const { told = {} } = await av.act(box.dataset.actTyped, { typed });
      if (open?.box !== box || box.value !== typed) return;
      open.searched = typed;
      draw(told.options || [], told.why || "");
      if (open.isEntered) take(open.at);
    }, PAUSE);
  };

  document.addEventListener("focusin", (event) => {
    const box = boxOf(event);
    if (box && !box.disabled) box.select();
  });
  document.addEventListener("click", (event) => {
    const box = boxOf(event);
    if (box && !box.disabled) show(box);
    else if (open && !open.list.contains(event.target)) hide();
  });
  document.addEventListener("focusout", (event) => {
    const box = boxOf(event);
    if (!box) return;
    if (open?.box === box) hide();
    if (isTokens(box)) box.value = box.dataset.shown || ""; // what was typed and not taken
    else box.value = "";
  });
  document.addEventListener("input", (event) => {
    const box = boxOf(event);
    if (!box) return;
    show(box);
    search(box);
  });
  document.addEventListener("keydown", (key) => {
    const box = boxOf(key);
    if (!box) return;
    if (key.key === "ArrowDown" || key.key === "ArrowUp") {
      key.preventDefault();
      if (!open) return show(box);
      const step = key.key === "ArrowDown" ? 1 : -1;
      const count = open.options.length;
      if (count) open.at = (open.at + step + count) % count;
      point();
    } else if (key.key === "Enter") {
      key.preventDefault();
      if (!open) return show(box);
      const isSearched = isHeads(box) || !box.value || box.value === box.dataset.shown
        || open.searched === box.value;
      if (isSearched) take(open.at);
      else open.isEntered = true; // taken as soon as the server has answered
    } else if (key.key === "Escape" && open) {
      key.stopPropagation();
      hide();
      box.value = isTokens(box) ? box.dataset.shown || "" : "";
    }
  });
  window.addEventListener("scroll", (event) => {
    if (open && !open.list.contains(event.target)) hide();
  }, true);
})();
