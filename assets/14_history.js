// Undo, redo, Back and the link: each step of the page is an entry of the browser's own history.
(function () {
  "use strict";

  const av = window.attentionViz;
  const ONE_STEP = 1000; // ms: changes of the same field that follow so quickly are one step
  let at = 0; // which entry is shown
  let top = 0; // the newest one
  let last = { addresses: "", time: 0 };
  let isRestoring = false;

  // "#v2.…": deflated JSON in URL-safe base64, see records/page/link.py.
  async function pack(sparse) {
    const bytes = new TextEncoder().encode(JSON.stringify(sparse));
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
    const packed = new Uint8Array(await new Response(stream).arrayBuffer());
    let text = "";
    for (const byte of packed) text += String.fromCharCode(byte);
    return "#v2." + btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  let written = Promise.resolve("");
  const writeAddress = () => {
    const [page, entry] = [av.page, at];
    written = pack(av.sparse(page)).then((fragment) => {
      if (av.page === page && at === entry && window.location.hash !== fragment) {
        window.history.replaceState(window.history.state, "", fragment);
      }
      return fragment;
    });
  };

  const entryOf = () => ({ av: true, at, page: av.sparse() });
  const record = (how, addresses) => {
    const names = addresses.join(" ");
    const now = performance.now();
    const goesOn = how === "live" && names === last.addresses && now - last.time < ONE_STEP;
    last = { addresses: names, time: now };
    if (how === "replace" || goesOn || how === "begin") {
      window.history.replaceState(entryOf(), "", window.location.hash);
    } else {
      at += 1;
      top = at;
      window.history.pushState(entryOf(), "", window.location.hash);
    }
    writeAddress();
    showButtons();
  };

  av.onChange((_now, _before, how, addresses) => {
    if (!isRestoring) record(how, addresses);
  });

  window.addEventListener("popstate", (event) => {
    if (!event.state || !event.state.av) return; // a link pasted into the address: see below
    at = event.state.at;
    top = Math.max(top, at);
    isRestoring = true;
    const { theme } = av.page.shared; // light and dark are nobody's step
    const page = av.whole(event.state.page);
    page.shared.theme = theme;
    av.show(page, "replace");
    isRestoring = false;
    last.addresses = "";
    av.texts({ prompt: page.shared.prompt, counterfactual: page.shared.counterfactual });
    writeAddress();
    showButtons();
  });

  const showButtons = () => {
    const [undo, redo] = ["undo", "redo"].map((id) => document.getElementById(id));
    if (undo) undo.disabled = at === 0;
    if (redo) redo.disabled = at === top;
  };
  av.undo = () => at > 0 && window.history.back();
  av.redo = () => at < top && window.history.forward();
  document.addEventListener("click", (click) => {
    if (click.target.closest("#undo")) av.undo();
    if (click.target.closest("#redo")) av.redo();
  });
  document.addEventListener("keydown", (key) => {
    if (!(key.ctrlKey || key.metaKey) || key.altKey) return;
    const isText = key.target.closest("textarea, input[type=text], input[type=number]");
    if (isText) return; // the box undoes its own typing
    const name = key.key.toLowerCase();
    if (name === "z" && !key.shiftKey) av.undo();
    else if ((name === "z" && key.shiftKey) || name === "y") av.redo();
    else return;
    key.preventDefault();
  });

  // A link: at the start, and when somebody pastes one into the address.
  const open = () => av.act("open", { fragment: window.location.hash }, { how: "replace" });
  document.addEventListener("av-begin", () => {
    at = window.history.state?.av ? window.history.state.at : 0;
    top = at;
    if (window.location.hash.length > 1) open();
    else record("begin", []);
    showButtons();
  });
  window.addEventListener("hashchange", () => {
    if (!window.history.state?.av) av.act("open", { fragment: window.location.hash });
  });

  document.addEventListener("click", async (click) => {
    if (!click.target.closest("#copy-link")) return;
    const link = window.location.href.split("#")[0] + (await written);
    const copied = await copy(link);
    av.say(copied
      ? { kind: "success", title: "Link copied",
          message: "It holds the whole view: prompt, heads, settings.", remedy: "" }
      : { kind: "warning", title: "Copy it yourself", message: link,
          remedy: "The browser doesn't let a page copy here." });
  });
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
})();
