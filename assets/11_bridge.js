// The page's two Dash components, see panels/kit/bridge.py: Dash's whole share of the page.
(function () {
  "use strict";

  const av = window.attentionViz;
  const lines = {}; // by name: {n, isBusy, since, page, send, hear}
  const GIVEN_UP = 30_000; // ms after which a line that got no answer may ask again

  av.line = (name) => (lines[name] ||= { n: 0, isBusy: false, send: null, hear: [] });

  av.isFree = (name) => {
    const line = av.line(name);
    if (isAway || !line.send) return false;
    return !line.isBusy || performance.now() - line.since > GIVEN_UP;
  };

  // A server that is stopped or can't be reached: said once, and nothing is asked but whether it is
  // back; then the questions that got no answer are asked again.
  const PAUSES = [1000, 2000, 4000, 8000]; // ms between looks
  let isAway = false;
  const reach = window.fetch.bind(window);
  window.fetch = async (...asked) => {
    try {
      return await reach(...asked);
    } catch (error) {
      if (!isAway && !asked[1]?.signal?.aborted) goAway();
      throw error;
    }
  };
  const goAway = () => {
    isAway = true;
    av.say({ kind: "danger", title: "The server doesn't answer", stays: true,
      message: "It was stopped, or can't be reached. The page stays as it is.",
      remedy: "Once it runs again, the page goes on by itself." });
    lookAgain(0);
  };
  const lookAgain = (times) => setTimeout(async () => {
    try {
      await reach(window.location.pathname, { method: "HEAD", cache: "no-store" });
    } catch (error) {
      return lookAgain(times + 1);
    }
    isAway = false;
    for (const line of Object.values(lines)) line.isBusy = false;
    document.dispatchEvent(new CustomEvent("av-back"));
    av.refresh();
  }, PAUSES[Math.min(times, PAUSES.length - 1)]);

  // One question at a time on each line; its answer comes to `av.onTold` listeners.
  av.ask = (name, question) => {
    const line = av.line(name);
    Object.assign(line, { n: line.n + 1, isBusy: true, since: performance.now(), page: av.page,
      local: { ...av.local } });
    line.send({ n: line.n, page: av.sparse(), local: av.local, ...question });
  };

  const heard = [];
  av.onTold = (listen) => heard.push(listen);
  const hear = (name, told) => {
    const line = av.line(name);
    if (told.n !== line.n) return; // the answer to a question given up
    line.isBusy = false;
    for (const listen of heard) {
      try { // a mistake in one must not take the bridges down with it
        listen(name, told, line);
      } catch (error) {
        console.error(error);
      }
    }
    av.refresh();
  };

  const React = () => window.React;
  const Skeleton = (props) => {
    const markup = React().useMemo(() => ({ __html: props.html }), []);
    React().useEffect(() => {
      if (props.start && props.start.page) av.begin(props.start);
    }, []);
    return React().createElement("div", { id: props.id, dangerouslySetInnerHTML: markup });
  };
  const nameOf = (id) => (typeof id === "string" ? JSON.parse(id) : id).name;
  const Bridge = (props) => {
    const name = nameOf(props.id);
    av.line(name).send = (asked) => props.setProps({ asked });
    // At once: an effect that waits for a quiet moment may wait long on a page that is looked at.
    React().useLayoutEffect(() => {
      if (props.told) hear(name, props.told);
    }, [props.told]);
    React().useEffect(() => {
      document.dispatchEvent(new CustomEvent("av-line"));
      av.refresh();
    }, []);
    return null;
  };

  window.attention_viz = { Skeleton, Bridge };
})();
