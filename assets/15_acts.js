// What people ask the server to do, one thing after the other; how jobs and models go; toasts.
(function () {
  "use strict";

  const av = window.attentionViz;
  const TICK = 300; // ms between looks at what is under way
  const LARGEST = 20e6; // bytes of a file that is sent at all; the server's own limits are lower
  const queue = []; // [{act, payload, how, done, button}], the first one is under way
  let followed = []; // searches whose heads this tab takes over
  let wanted = ""; // a model that is to come on the page
  let fitsLater = true; // whether the page is to be held against the model once that is there

  av.act = (act, payload = {}, { how = "push", button = null } = {}) =>
    new Promise((done) => {
      queue.push({ act, payload, how, done, button });
      if (button) button.setAttribute("aria-busy", "true");
      next();
    });
  const next = () => {
    if (!queue.length || !av.isFree("act")) return;
    const { act, payload } = queue[0];
    av.ask("act", { act, payload });
  };

  document.addEventListener("av-line", next);
  // A server that was started again has to load the page's model.
  document.addEventListener("av-back", () => {
    document.querySelectorAll("#toasts [data-stays]").forEach((toast) => toast.remove());
    av.say({ kind: "success", title: "The server is back", message: "The page goes on.", remedy: "" });
    av.act("model", { value: av.page.shared.model });
    next();
  });

  av.onTold((name, told) => {
    const first = name === "act" ? queue.shift() : null;
    if (first?.button) first.button.removeAttribute("aria-busy");
    if (told.outcome) apply(told.outcome, first ? first.how : "push");
    if (first) {
      first.done(told.outcome || {});
      if (first.act === "open" || first.act === "model") fitsLater = true;
    }
    if (told.model && told.model.name === av.page.shared.model) stands(told.model);
    next();
    tickSoon();
  });

  const apply = (outcome, how) => {
    if (outcome.followed) followed = outcome.followed;
    if (outcome.wanted !== undefined) {
      wanted = outcome.wanted;
      av.choose("model.wanted", wanted || null);
    }
    if (outcome.told?.failed) {
      wanted = "";
      av.choose("model.wanted", outcome.told.failed); // so that it can be tried again
    }
    if (outcome.marks) av.outdateMarks(outcome.marks);
    if (outcome.changes) av.change(outcome.changes, how);
    if (outcome.values) av.texts(outcome.values);
    if (outcome.file) save(outcome.file);
    if (outcome.place) write(outcome.place);
    (outcome.says || []).forEach(av.say);
  };

  // What came of an act and is said in its own place, such as the lines left out of a file.
  const write = ({ id, html }) => {
    const place = document.getElementById(id);
    if (!place) return;
    place.innerHTML = html;
    av.arrange(place);
  };

  const stands = (model) => {
    const before = av.model;
    av.model = model;
    if (model.state !== before.state || model.name !== before.name) {
      if (model.state === "ready" || model.state === "failed") av.outdate((answer) => answer.waits);
      av.arrange(document);
    }
    if (model.state === "ready" && fitsLater) {
      fitsLater = false;
      av.act("fit", {}, { how: "replace" });
    }
  };

  // Looks at what is under way, while anything is.
  let timer = null;
  const isUnderWay = () => followed.length || wanted || av.isWaited()
    || Object.keys(av.watched()).length;
  const tickSoon = () => {
    if (timer || !isUnderWay()) return;
    timer = setTimeout(() => {
      timer = null;
      if (!isUnderWay()) return;
      if (!av.isFree("tick")) tickSoon();
      else av.ask("tick", { watch: av.watched(), followed, wanted: wanted || null });
    }, TICK);
  };
  av.onArrange(() => tickSoon());

  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-act]");
    if (!button || button.disabled || button.getAttribute("aria-busy") === "true") return;
    const { act, payload, with: boxes, count } = button.dataset;
    const asked = JSON.parse(payload || "{}");
    for (const id of (boxes || "").split(" ").filter(Boolean)) {
      asked[id] = document.getElementById(id).value;
    }
    if (count) {
      asked[count] = Number(button.dataset.presses || 0);
      button.dataset.presses = asked[count] + 1;
    }
    av.act(act, asked, { button });
  });

  av.sendFile = (input) => {
    const [file] = input.files;
    if (!file) return;
    if (file.size > LARGEST) {
      av.say({ kind: "danger", title: "That didn't work", remedy: "Choose a smaller one.",
        message: `${file.name} has ${(file.size / 1e6).toFixed(1)} MB; at most 20 MB are sent.` });
    } else {
      const reader = new FileReader();
      reader.onload = () => av.act(input.dataset.actFile, { contents: reader.result, name: file.name });
      reader.readAsDataURL(file);
    }
    input.value = ""; // so that the same file can be chosen again
  };

  const save = ({ name, data }) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  // Short messages in the corner; the same one is not said twice at a time.
  const MOST = 3;
  const SECONDS = { danger: 12, warning: 9, success: 5, info: 5 };
  const line = (tag, className, text) => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  };
  av.say = ({ kind, title, message, remedy, stays }) => {
    const place = document.getElementById("toasts");
    for (const old of place.children) if (old.dataset.message === message) old.remove();
    const toast = line("div", `toast show toast-${kind}`, "");
    toast.dataset.message = message;
    const head = line("div", "toast-header", "");
    const close = line("button", "btn-close", "");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => toast.remove());
    head.append(line("strong", "me-auto", title), close);
    const body = line("div", "toast-body", "");
    body.append(line("div", "toast-message", message));
    if (remedy) body.append(line("div", "toast-remedy", remedy));
    toast.append(head, body);
    place.prepend(toast);
    while (place.children.length > MOST) place.lastElementChild.remove();
    if (stays) toast.dataset.stays = "true";
    else setTimeout(() => toast.remove(), 1000 * SECONDS[kind]);
  };
})();
