// Watches a page from inside: when what an action changes was last changed, and its requests.
// Nothing here reads layout or asks again and again while the page works: mutation observers note
// times; a timer, 20 times a second, only compares numbers.
(function () {
  "use strict";

  const LOOK = 50; // ms
  // Dash's note that a callback is under way, which no stylesheet of ours shows.
  const UNSEEN = ["data-dash-is-loading"];
  let task = null; // what is being measured
  let open = 0; // requests under way
  let lastRequest = 0; // ms, when one began or ended last
  let lastChange = 0; // ms, anywhere in the page

  const claim = (text) => (0, eval)(`(${text})`);

  const probe = {
    one: (selector) => document.querySelector(selector),
    all: (selector) => [...document.querySelectorAll(selector)],
    // The cytoscape graph in an element, or at it.
    cy(selector) {
      const box = document.querySelector(selector);
      const owner = box && [box, ...box.querySelectorAll("*")].find((each) => each._cyreg?.cy);
      return owner && owner._cyreg.cy;
    },

    // given: {starts: type of event or "" (navigation), results: {key: {inside, itself, until}},
    // facts: of the case}
    arm(given) {
      task = { ...given, start: given.starts ? null : 0, requests: 0, sent: 0, at: {} };
      for (const [key, result] of Object.entries(task.results)) {
        task.at[key] = null;
        result.isTrue = result.until ? claim(result.until) : null;
      }
      probe.followGraphs();
    },

    // Resolves when `done(facts)` is true and nothing has been asked or changed for `quiet` ms.
    // Of an action each result must have changed, however slow the page is to begin.
    settled(done, facts, quiet, patience) {
      const isDone = claim(done);
      const began = performance.now();
      return new Promise((resolve) => {
        const look = () => {
          const now = performance.now();
          const hasStarted = !task || !Object.values(task.at).includes(null);
          const rests = now - Math.max(began, lastRequest, watchedChange()) > quiet;
          if (hasStarted && open === 0 && rests && says(isDone, facts)) resolve(report(false));
          else if (now - began > patience) resolve(report(true));
          else setTimeout(look, LOOK);
        };
        look();
      });
    },

    disarm() {
      task = null;
    },

    // cytoscape draws on canvases; its events tell what it draws.
    followGraphs() {
      for (const box of document.querySelectorAll("*")) {
        const cy = box._cyreg?.cy;
        if (!cy || cy.isProbed) continue;
        cy.isProbed = true;
        cy.on("add remove data position", () => note([box], performance.now()));
      }
    },

    // Dash components in the layout of the renderer's store, those inserted later included.
    components() {
      const [store] = window.dash_stores || [];
      const count = (part) => {
        if (Array.isArray(part)) return part.reduce((sum, each) => sum + count(each), 0);
        if (!part || typeof part !== "object") return 0;
        const isComponent = part.props && part.type && part.namespace;
        return (isComponent ? 1 : 0) + count(Object.values(isComponent ? part.props : part));
      };
      return store ? count(store.getState().layout) : 0;
    },
  };
  window.pageProbe = probe;

  function says(isDone, facts) {
    try {
      return Boolean(isDone(facts));
    } catch (notYet) {
      return false;
    }
  }

  function watchedChange() {
    if (!task) return lastChange;
    return Math.max(0, ...Object.values(task.at).filter((at) => at !== null));
  }

  function report(isLate) {
    const { start = 0, requests = 0, sent = 0, at = {} } = task || {};
    const elements = document.getElementsByTagName("*").length;
    const waits = isLate ? { open, start, lastRequest, at, now: performance.now() } : null;
    return { isLate, waits, start, requests, sent, at, elements, components: probe.components() };
  }

  // Changes

  function note(elements, now) {
    lastChange = now;
    if (!task || task.start === null) return;
    for (const [key, result] of Object.entries(task.results)) {
      if (!elements.some((element) => isWatched(element, result))) continue;
      if (!result.isTrue) task.at[key] = now;
      else if (!says(result.isTrue, task.facts)) task.at[key] = null;
      else task.at[key] ??= now;
    }
  }

  function isWatched(element, { inside, itself }) {
    return Boolean((inside && element.closest(inside)) || (itself && element.matches(itself)));
  }

  function changed(record) {
    if (record.type === "attributes") {
      const name = record.attributeName;
      return !UNSEEN.includes(name) && record.target.getAttribute(name) !== record.oldValue;
    }
    return record.type === "childList" || record.target.data !== record.oldValue;
  }

  new MutationObserver((records) => {
    const now = performance.now();
    const touched = new Set();
    for (const record of records) {
      if (!changed(record)) continue;
      const { target } = record;
      touched.add(target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement);
      for (const added of record.addedNodes) {
        if (added.nodeType === Node.ELEMENT_NODE) touched.add(added);
      }
    }
    touched.delete(null);
    if (touched.size) note([...touched], now);
  }).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeOldValue: true,
    characterData: true,
    characterDataOldValue: true,
  });

  // The action: the first trusted event of its type.

  for (const type of ["click", "keydown", "mouseup"]) {
    const begin = (event) => {
      if (task && task.starts === type && task.start === null && event.isTrusted) {
        task.start = event.timeStamp;
      }
    };
    window.addEventListener(type, begin, { capture: true });
  }

  // Requests

  function asked(body) {
    open += 1;
    lastRequest = performance.now();
    if (!task) return;
    task.requests += 1;
    task.sent += sizeOf(body);
  }
  function answered() {
    open -= 1;
    lastRequest = performance.now();
  }
  function sizeOf(body) {
    if (typeof body === "string") return new Blob([body]).size;
    return body?.size ?? body?.byteLength ?? 0;
  }

  const fetch = window.fetch;
  window.fetch = function (resource, settings) {
    asked(settings?.body);
    const answer = fetch.apply(this, arguments);
    answer.then(answered, answered);
    return answer;
  };
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (body) {
    asked(body);
    this.addEventListener("loadend", answered, { once: true });
    return send.apply(this, arguments);
  };
})();
