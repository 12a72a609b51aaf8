// The page's two Dash components, see panels/kit/bridge.py: Dash's whole share of the page.
(function () {
  "use strict";

  const av = window.attentionViz;
  const lines = {}; // by name: {n, isBusy, since, page, send, hear}
  const GIVEN_UP = 30_000; // ms after which a line that got no answer may ask again

  av.line = (name) => (lines[name] ||= { n: 0, isBusy: false, send: null, hear: [] });

  av.isFree = (name) => {
    const line = av.line(name);
    return Boolean(line.send) && (!line.isBusy || performance.now() - line.since > GIVEN_UP);
  };

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
    for (const listen of heard) listen(name, told, line);
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
    React().useEffect(() => {
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
