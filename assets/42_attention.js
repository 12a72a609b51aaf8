// The attention view: a cell that is clicked shows its query's token, whatever was chosen before.
(function () {
  "use strict";

  const av = window.attentionViz;
  av.onChange((now, before) => {
    if (!av.same(now.attention.focus, before.attention.focus)) delete av.local["attention.token"];
  });
})();
