// Parts: places of the page that the server fills. Each is asked for when something it read has
// changed, with the others of its line in one request; what is known already is shown at once.
(function () {
  "use strict";

  const av = window.attentionViz;
  const KEPT = 8; // answers kept of each part, so that going back asks for nothing
  const SLOW = 250; // ms after which a part that is waited for says so
  const DRAWN = ".plot, .matrix, .graph"; // what a script draws: its inside is not the server's

  const answers = {}; // by part: the newest first
  const shown = new WeakMap(); // by element: the answer it shows

  const fits = (answer) => !answer.isOver
    && Object.entries(answer.reads).every(([name, value]) => av.same(av.get(name) ?? null, value));
  const isActive = (mark) => / (queued|running) /.test(mark);

  const places = () => [...document.querySelectorAll("[data-part]")]
    .filter((element) => !element.closest("details:not([open])"));
  const lineOf = (element) => {
    if (!element.closest("#view")) return "rail";
    return av.waves[element.dataset.part] ? "behind" : "view";
  };

  const refresh = () => {
    if (!av.page) return;
    const needed = { rail: [], view: [], behind: [] };
    for (const element of places()) {
      const name = element.dataset.part;
      const now = shown.get(element);
      if (now && fits(now)) continue;
      const known = (answers[name] || []).find((answer) => answer.isKept && fits(answer));
      if (known) show(element, known);
      else needed[lineOf(element)].push(name);
    }
    for (const [line, names] of Object.entries(needed)) {
      if (!names.length || !av.isFree(line)) continue;
      // What is behind reads what the view's own request has measured.
      if (line === "behind" && (needed.view.length || !av.isFree("view"))) continue;
      av.ask(line, { parts: names });
      wait(names);
    }
  };
  let isDue = false;
  av.refresh = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      refresh();
    });
  };

  const placeOf = (name) => document.querySelector(`[data-part="${name}"]`);
  const waiting = {};
  const wait = (names) => {
    for (const name of names) {
      clearTimeout(waiting[name]);
      waiting[name] = setTimeout(() => placeOf(name)?.classList.add("is-waiting"), SLOW);
    }
  };

  av.onTold((_line, told, line) => {
    for (const [name, part] of Object.entries(told.parts || {})) {
      clearTimeout(waiting[name]);
      const valueOf = (address) => {
        const at = address.indexOf(".");
        const [section, field] = [address.slice(0, at), address.slice(at + 1)];
        return (section === "local" ? line.local : line.page[section])?.[field] ?? null;
      };
      const reads = Object.fromEntries(part.reads.map((address) => [address, valueOf(address)]));
      const isKept = !part.waits && !Object.keys(part.marks).length;
      const answer = { html: part.html, reads, marks: part.marks, waits: part.waits, isKept };
      answers[name] = [answer, ...(answers[name] || []).filter((old) => !fits(old))].slice(0, KEPT);
      const element = placeOf(name);
      if (element) show(element, answer);
    }
  });

  // Jobs that stand otherwise than an answer says, and a model that is there now.
  av.outdate = (isOutdated) => {
    for (const list of Object.values(answers)) {
      for (const answer of list) answer.isOver ||= isOutdated(answer);
    }
  };
  av.outdateMarks = (marks) => av.outdate((answer) =>
    Object.entries(marks).some(([key, mark]) => key in answer.marks && answer.marks[key] !== mark));

  // Parts on the page that show how a job goes, with the jobs' marks.
  av.watched = () => {
    const watch = {};
    for (const element of places()) {
      const marks = Object.entries(shown.get(element)?.marks || {})
        .filter(([, mark]) => isActive(mark));
      if (marks.length) watch[element.dataset.part] = Object.fromEntries(marks);
    }
    return watch;
  };
  av.isWaited = () => places().some((element) => shown.get(element)?.waits);

  // Markup into the page: focus, scrolling, unfolded lines and drawn figures stay.
  // The line of a menu is that of the markup, whatever somebody chose and whether it has the focus.
  const chooseAs = (old, next) => {
    if ("field" in old.dataset) return;
    if (old.innerHTML !== next.innerHTML) old.innerHTML = next.innerHTML;
    if (old.value !== next.value) old.value = next.value;
  };
  const OURS = { DETAILS: ["open"], BUTTON: ["aria-pressed"] };
  const morphing = {
    morphStyle: "innerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(old, next) {
        if (old.nodeType !== 1 || next.nodeType !== 1) return true;
        if (old.tagName === "SELECT" && next.tagName === "SELECT") chooseAs(old, next);
        if (!old.matches(DRAWN) || old.className.split(" ")[0] !== next.className.split(" ")[0]) {
          return true;
        }
        for (const { name, value } of next.attributes) {
          if (name.startsWith("data-") && old.getAttribute(name) !== value) {
            old.setAttribute(name, value);
          }
        }
        if (old.id !== next.id) old.id = next.id;
        const height = next.style?.height;
        if (height && old.style.height !== height) old.style.height = height;
        return false;
      },
      beforeAttributeUpdated(name, node) {
        if (OURS[node.tagName]?.includes(name) && (name === "open" || node.dataset.head)) return false;
        return !(name === "tabindex" && node.dataset.head);
      },
    },
  };
  const show = (element, answer) => {
    shown.set(element, answer);
    element.classList.remove("is-waiting");
    try {
      window.Idiomorph.morph(element, answer.html, morphing);
    } catch (error) { // what is told is worth more than the focus and the scrolling in it
      console.warn(`${element.id} was drawn anew:`, error);
      element.innerHTML = answer.html;
    }
    av.arrange(element);
  };

  const arrangers = [];
  av.onArrange = (arrange) => arrangers.push(arrange);
  av.arrange = (element) => arrangers.forEach((arrange) => arrange(element));

  // Only the open view is there.
  const openView = () => {
    const place = document.getElementById("view");
    const name = av.page.shared.view;
    if (place.dataset.view === name) return;
    place.dataset.view = name;
    place.setAttribute("aria-labelledby", `tab-${name}`);
    place.innerHTML = `<div id="view-${name}" class="view-room">${av.views[name]}</div>`;
    av.arrange(place);
  };
  document.addEventListener("av-begin", () => {
    openView();
    av.arrange(document);
  });
  av.onChange(openView);
  document.addEventListener("toggle", (event) => {
    if (event.target.open) av.refresh();
  }, true);
})();
