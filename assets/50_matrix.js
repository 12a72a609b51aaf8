// Heat maps: attention maps, the logit lens, closer looks. figures/matrix.py writes the spec.
// Cells are painted on a canvas as large as what can be seen of them; the names of rows and columns
// are HTML and stay in sight while the box scrolls. One Tab stop each; arrow keys move a cursor.
(function () {
  "use strict";

  const av = (window.attentionViz = window.attentionViz || {});
  av.drawers = av.drawers || {};

  const LONGEST_NAME = 14; // characters
  const NAME_ROOM = 118; // px, at most
  const MONO = 'ui-monospace, "DejaVu Sans Mono", monospace';
  const SCROLLBAR = 12; // px
  const LEAST_HIGH = 13; // px: rows of text are no lower, what doesn't fit then scrolls
  const LEAST_TEXT = 22; // px wide: narrower cells have no text
  const SIZES = [11, 10, 9, 8.5]; // px of the text in a cell, the first at which it fits
  const PAGE = 10; // cells that Page Up and Page Down go

  const pen = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  const widthOf = (text, size) => {
    const key = size + text;
    if (!widths.has(key)) {
      if (widths.size > 20000) widths.clear();
      pen.font = `${size}px ${MONO}`;
      widths.set(key, pen.measureText(text).width);
    }
    return widths.get(key);
  };

  // At most so many characters, some of the end kept: a repeated token's "_2" is there.
  const shorten = (text, most) => {
    const letters = Array.from(text);
    if (letters.length <= most) return text;
    const tail = Math.floor((most - 1) / 3);
    return letters.slice(0, most - 1 - tail).join("") + "…" + letters.slice(letters.length - tail).join("");
  };
  const cut = (text, size, room) => {
    if (widthOf(text, size) <= room) return text;
    const letters = Array.from(text);
    let low = 0, high = letters.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (widthOf(letters.slice(0, middle).join("") + "…", size) <= room) low = middle;
      else high = middle - 1;
    }
    return low ? letters.slice(0, low).join("") + "…" : "";
  };

  const told = (value, digits, isSigned) => {
    const text = value.toFixed(digits);
    const isZero = !/[1-9]/.test(text);
    const plain = isZero ? text.replace("-", "") : text.replace("-", "−");
    return isSigned && !isZero && value > 0 ? "+" + plain : plain;
  };

  // Colours

  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const linear = (channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const DARK_INK = "#0b1220", LIGHT_INK = "#ffffff";
  const inkOn = (rgb) => {
    const light = luminance(rgb) + 0.05;
    return light / (luminance(channels(DARK_INK)) + 0.05) > 1.15 * (1.05 / light) ? DARK_INK : LIGHT_INK;
  };
  const STEPS = 255;
  const scales = new Map(); // of a scale's colours: [background, ink] for each step
  const scaleOf = (colours) => {
    const key = colours.join();
    if (!scales.has(key)) {
      const stops = colours.map(channels);
      const steps = [];
      for (let step = 0; step <= STEPS; step += 1) {
        const place = (step / STEPS) * (stops.length - 1);
        const from = Math.min(Math.floor(place), stops.length - 2);
        const mixed = stops[from].map((a, i) => Math.round(a + (stops[from + 1][i] - a) * (place - from)));
        steps.push([`rgb(${mixed.join()})`, inkOn(mixed)]);
      }
      scales.set(key, steps);
    }
    return scales.get(key);
  };

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  // One tooltip for all of them

  let tip = null, pointed = null; // the matrix that the tooltip is about
  const hideTip = () => { if (tip) tip.hidden = true; };
  document.addEventListener("scroll", (event) => {
    if (pointed && !pointed.contains(event.target)) hideTip();
  }, { capture: true, passive: true });
  const showTip = (lines, anchor, element) => {
    pointed = element;
    if (!tip || !tip.isConnected) {
      tip = document.body.appendChild(make("div", "matrix-tip"));
      tip.setAttribute("aria-hidden", "true");
    }
    const [place, ...facts] = lines;
    const head = make("div", "matrix-tip-place");
    for (const end of place) {
      if (end.word) head.append(make("span", "matrix-tip-word", end.word));
      head.append(make("b", "", end.name));
      if (end.at !== undefined) head.append(make("span", "matrix-tip-word", `(${end.at})`));
    }
    const list = make("dl");
    for (const fact of facts) {
      const name = make("dt", "", fact.name);
      if (fact.text !== undefined) name.append(" ", make("code", "", fact.text));
      list.append(name, make("dd", "", fact.number ?? ""));
    }
    tip.replaceChildren(head, list);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const room = document.documentElement;
    const right = anchor.right + 10 + width <= room.clientWidth;
    const left = right ? anchor.right + 10 : anchor.left - 10 - width;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${clamp(anchor.top - 6, 4, Math.max(4, room.clientHeight - height - 4))}px`;
  };

  class Matrix {
    constructor(element) {
      this.element = element;
      this.hover = null;
      this.cursor = null;
      this.hasKeys = false;
      this.build();
    }

    build() {
      this.head = make("div", "matrix-head");
      this.box = make("div", "matrix-box");
      this.sheet = make("div", "matrix-sheet");
      this.rowNames = make("div", "matrix-rows");
      this.columnNames = make("div", "matrix-columns");
      this.cells = make("div", "matrix-cells");
      this.canvas = make("canvas");
      this.live = make("div", "matrix-live");
      this.live.setAttribute("aria-live", "polite");
      this.box.tabIndex = 0;
      this.box.setAttribute("role", "application");
      this.box.setAttribute("aria-roledescription", "heat map");
      for (const names of [this.rowNames, this.columnNames]) names.setAttribute("aria-hidden", "true");
      this.cells.append(this.canvas);
      this.sheet.append(this.rowNames, this.cells, make("div", "matrix-corner"), this.columnNames);
      this.box.append(this.sheet);
      this.element.replaceChildren(this.head, this.box, this.live);
      this.listen();
    }

    listen() {
      this.box.addEventListener("scroll", () => { this.leave(); this.later(); }, { passive: true });
      this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
      this.canvas.addEventListener("pointerleave", () => this.leave());
      this.canvas.addEventListener("click", (event) => {
        const cell = this.cellAt(event);
        if (!cell) return;
        this.cursor = cell;
        this.act(cell);
        this.paint();
      });
      this.box.addEventListener("keydown", (event) => this.press(event));
      this.box.addEventListener("focus", () => {
        this.hasKeys = this.box.matches(":focus-visible");
        if (!this.hasKeys) return;
        this.cursor = this.cursor || this.start();
        this.reveal();
      });
      this.box.addEventListener("blur", () => {
        this.hasKeys = false;
        hideTip();
        this.paint();
      });
    }

    // What is drawn

    draw(spec) {
      const parts = [spec.rows, spec.columns, spec.cells, spec.title, spec.about, spec.bar, spec.scale,
        spec.up, spec.written, !!spec.text];
      const form = JSON.stringify(parts) + this.element.clientWidth + this.limit();
      this.spec = spec;
      if (this.cursor && !this.has(this.cursor)) this.cursor = null;
      if (form !== this.form && this.element.clientWidth) {
        const isFirst = !this.form;
        this.form = form;
        this.lay();
        if (isFirst) this.showMark();
      }
      if (this.hover && this.has(this.hover)) {
        showTip(this.facts(this.hover), this.anchor(this.hover), this.element);
      } else this.leave();
      this.paint();
    }

    // What is marked is what people came for.
    showMark() {
      const mark = this.spec.marks?.[0]?.[0];
      if (mark === undefined) return;
      const { box } = this;
      box.scrollLeft = (mark + 1) * this.width - (box.clientWidth - this.left);
    }

    limit() {
      const most = parseFloat(getComputedStyle(this.box).maxHeight);
      return Number.isFinite(most) ? most : Infinity;
    }

    lay() {
      const { spec } = this;
      const rows = spec.rows.names, columns = spec.columns.names, cells = spec.cells;
      this.nameHead();
      this.box.setAttribute("aria-label", `${spec.about}. Arrow keys move from cell to cell` +
        `${spec.click ? ", Enter chooses" : ""}.`);
      const room = this.element.clientWidth;
      const longest = (names, size) => names.reduce(
        (most, name) => Math.max(most, widthOf(shorten(name, LONGEST_NAME), size)), 0);
      this.left = Math.ceil(Math.min(NAME_ROOM, 0.4 * room, longest(rows, 11) + 12));
      const below = Math.ceil(Math.min(NAME_ROOM, longest(columns, 11) + 12));
      const high = this.limit() - below - 2;

      const isSquare = !cells.height;
      const wide = room - this.left - 2;
      let width = Math.floor(wide / columns.length);
      let height = cells.height;
      if (isSquare) {
        width = Math.min(width, Math.floor(high / rows.length));
        if (width < cells.least) width = cells.scrolling;
        height = width = Math.min(width, cells.most);
      } else {
        height = clamp(Math.floor(high / rows.length), Math.min(LEAST_HIGH, height), height);
        if (rows.length * height > high) width = Math.floor((wide - SCROLLBAR) / columns.length);
        width = width < cells.least ? cells.scrolling : Math.min(width, cells.most);
      }
      this.width = width;
      this.height = height;
      const isAcross = longest(columns, 11) + 8 <= width;
      this.below = isAcross ? 22 : below;
      const style = this.sheet.style;
      style.setProperty("--left", `${this.left}px`);
      style.setProperty("--below", `${this.below}px`);
      style.setProperty("--across", `${columns.length * width}px`);
      style.setProperty("--down", `${rows.length * height}px`);
      this.rowSpans = this.nameAxis(this.rowNames, spec.rows, (i) => ({
        top: `${this.top(i)}px`, height: `${height}px`, fontSize: `${clamp(height - 2, 9, 11)}px`,
      }));
      this.columnSpans = this.nameAxis(this.columnNames, spec.columns, (i) => ({
        left: `${i * width}px`, width: `${width}px`, fontSize: `${isAcross ? 11 : clamp(width - 2, 9, 11)}px`,
      }));
      this.columnNames.classList.toggle("upright", !isAcross);
      this.canvas.classList.toggle("pressable", !!spec.click);
    }

    nameHead() {
      const { title, bar, scale } = this.spec;
      const parts = [];
      if (title) parts.push(make("span", "matrix-title", title));
      if (bar) {
        const strip = make("span", "matrix-bar");
        const ramp = make("i");
        ramp.style.background = `linear-gradient(90deg, ${scale.colours.join()})`;
        const [below, above] = scale.sides || ["", ""];
        strip.append(`${below} ${scale.ends[0]}`, ramp, `${scale.ends[1]} ${above}`, make("span", "", scale.unit));
        parts.push(strip);
      }
      this.head.replaceChildren(...parts);
      this.head.hidden = !parts.length;
    }

    nameAxis(place, axis, styleOf) {
      const spans = axis.names.map((name, i) => {
        const span = make("span", "", shorten(name, LONGEST_NAME));
        span.title = axis.at ? `${name} (${axis.at[i]})` : name;
        Object.assign(span.style, styleOf(i));
        return span;
      });
      place.replaceChildren(...spans);
      return spans;
    }

    top(row) {
      return (this.spec.up ? this.spec.rows.names.length - 1 - row : row) * this.height;
    }

    followed(name, otherwise) {
      const address = this.spec.follow?.[name];
      return address && av.get ? av.get(address) ?? (name === "least" ? otherwise : null) : otherwise;
    }

    later() {
      if (this.waits) return;
      this.waits = true;
      requestAnimationFrame(() => { this.waits = false; this.paint(); });
    }

    paint() {
      if (!this.form || !this.element.clientWidth) return;
      const { spec, width, height, canvas, box } = this;
      const rows = spec.rows.names.length, columns = spec.columns.names.length;
      const seen = {
        width: Math.max(1, Math.min(columns * width, box.clientWidth - this.left)),
        height: Math.max(1, Math.min(rows * height, box.clientHeight - this.below)),
      };
      const sharp = window.devicePixelRatio || 1;
      const size = [Math.round(seen.width * sharp), Math.round(seen.height * sharp)];
      if (canvas.width !== size[0]) canvas.width = size[0];
      if (canvas.height !== size[1]) canvas.height = size[1];
      canvas.style.width = `${seen.width}px`;
      canvas.style.height = `${seen.height}px`;
      const ctx = canvas.getContext("2d");
      ctx.setTransform(sharp, 0, 0, sharp, 0, 0);
      ctx.clearRect(0, 0, seen.width, seen.height);
      ctx.translate(-box.scrollLeft, -box.scrollTop);
      this.paintCells(ctx, seen);
      this.paintOutlines(ctx);
    }

    paintCells(ctx, seen) {
      const { spec, width, height, box } = this;
      const { low, high, colours } = spec.scale;
      const steps = scaleOf(colours);
      const least = this.followed("least", spec.least || 0) || 0;
      const gap = Math.min(width, height) >= 8 ? 1 : 0;
      const hasText = (spec.text || spec.written !== undefined) && width >= LEAST_TEXT;
      const first = Math.floor(box.scrollLeft / width);
      const last = Math.min(spec.columns.names.length - 1, Math.floor((box.scrollLeft + seen.width) / width));
      ctx.textBaseline = "middle";
      for (let row = 0; row < spec.values.length; row += 1) {
        const y = this.top(row);
        if (y + height < box.scrollTop || y > box.scrollTop + seen.height) continue;
        const values = spec.values[row];
        for (let column = first; column <= last; column += 1) {
          const value = values[column];
          if (value === null || value === undefined || Math.abs(value) < least) continue;
          const share = clamp((value - low) / (high - low || 1), 0, 1);
          const [back, ink] = steps[Math.round(share * STEPS)];
          ctx.fillStyle = back;
          ctx.fillRect(column * width, y, width - gap, height - gap);
          if (!hasText) continue;
          const word = spec.text ? spec.words[spec.text[row][column]]
            : told(value, spec.written, spec.scale.signed);
          ctx.fillStyle = ink;
          this.write(ctx, word, column * width, y);
        }
      }
    }

    // On one line; the sign of a leading blank steps back.
    write(ctx, word, x, y) {
      const room = this.width - 4;
      const sizes = SIZES.filter((size) => size <= Math.max(9, this.height - 9));
      const size = sizes.find((each) => widthOf(word, each) <= room) ?? 9;
      const shown = cut(word, size, room);
      if (shown !== word && !this.spec.text) return; // a number cut is another number
      const font = `${size}px ${MONO}`;
      if (ctx.font !== font) ctx.font = font;
      const start = x + (this.width - 1 - widthOf(shown, size)) / 2;
      const middle = y + this.height / 2;
      if (shown.length > 1 && shown[0] === "␣") {
        ctx.globalAlpha = 0.5;
        ctx.fillText("␣", start, middle);
        ctx.globalAlpha = 1;
        ctx.fillText(shown.slice(1), start + widthOf("␣", size), middle);
      } else ctx.fillText(shown, start, middle);
    }

    paintOutlines(ctx) {
      const { spec, width, height } = this;
      const rows = spec.rows.names.length, columns = spec.columns.names.length;
      const outline = (x, y, wide, high, colour, thick) => {
        ctx.strokeStyle = colour;
        ctx.lineWidth = thick;
        const half = thick / 2;
        ctx.strokeRect(x - 0.5 + half, y - 0.5 + half, wide - thick, high - thick);
      };
      // As far as there are cells: in a triangle up to the diagonal.
      const row = (at, thick) => outline(
        0, this.top(at), (spec.triangle ? at + 1 : columns) * width, height, spec.colours.focus, thick);
      const column = (at, thick) => {
        const first = spec.triangle ? at : 0;
        outline(at * width, first * height, width, (rows - first) * height, spec.colours.focus, thick);
      };
      const marks = spec.marks || [];
      for (const [at] of marks) column(at, 2);
      const given = this.followed("focus", spec.focus) || [];
      const focus = [given[0] < rows ? given[0] : null, given[1] < columns ? given[1] : null];
      ctx.globalAlpha = marks.length ? 0.55 : 1;
      if (focus[0] !== null) row(focus[0], 1.5);
      if (focus[1] !== null) column(focus[1], 1.5);
      ctx.globalAlpha = 1;
      this.lightNames(this.rowSpans, [focus[0]]);
      this.lightNames(this.columnSpans, [focus[1], ...marks.map(([at]) => at)]);
      const cell = this.hasKeys ? this.cursor : this.hover;
      if (!cell) return;
      const thick = this.hasKeys ? 2.5 : 1.5;
      outline(cell[1] * width, this.top(cell[0]), width, height, spec.colours.cursor, thick);
    }

    lightNames(spans, lit) {
      spans.forEach((span, i) => {
        if (span.classList.contains("lit") !== lit.includes(i)) span.classList.toggle("lit");
      });
    }

    // Pointing

    has([row, column]) {
      const values = this.spec.values[row];
      return !!values && column >= 0 && column < (this.spec.triangle ? values.length : this.spec.columns.names.length);
    }

    cellAt(event) {
      const edge = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - edge.left + this.box.scrollLeft) / this.width);
      const down = Math.floor((event.clientY - edge.top + this.box.scrollTop) / this.height);
      const row = this.spec.up ? this.spec.rows.names.length - 1 - down : down;
      return this.has([row, column]) ? [row, column] : null;
    }

    anchor([row, column]) {
      const edge = this.canvas.getBoundingClientRect();
      const left = edge.left + column * this.width - this.box.scrollLeft;
      const top = edge.top + this.top(row) - this.box.scrollTop;
      return { left, right: left + this.width, top };
    }

    point(cell) {
      if (String(cell) === String(this.hover)) return;
      this.hover = cell;
      if (cell) showTip(this.facts(cell), this.anchor(cell), this.element);
      else hideTip();
      this.later();
    }

    leave() {
      if (!this.hover) return;
      this.hover = null;
      hideTip();
      this.later();
    }

    // The tooltip's lines: where, and each number with its name.
    facts([row, column]) {
      const { spec } = this;
      const end = (axis, i) => ({ word: axis.word, name: axis.names[i], at: axis.at?.[i] });
      const marks = (spec.marks || []).filter(([at]) => at === column).map(([, why]) => ({ name: why }));
      const { word, digits, signed, suffix } = spec.scale;
      const value = spec.values[row][column];
      const number = value === null ? "not there"
        : told(value, digits, signed) + (suffix ? ` ${suffix}` : "");
      const lines = [[end(spec.rows, row), end(spec.columns, column)]];
      lines.push({ name: word, number });
      for (const line of spec.hover) {
        const fact = { name: line.name };
        const value = line.values?.[row]?.[column];
        if (line.texts) fact.text = spec.words[line.texts[row][column]];
        if (value !== null && value !== undefined) {
          fact.number = told(value, line.digits, line.signed) + (line.unit ? ` ${line.unit}` : "");
        } else if (!line.texts) continue;
        lines.push(fact);
      }
      return [...lines, ...marks];
    }

    say(cell) {
      const [place, ...facts] = this.facts(cell);
      const where = place.map((end) =>
        [end.word, end.name, end.at === undefined ? "" : `(${end.at})`].filter(Boolean).join(" "));
      const what = facts.map((fact) => [fact.name, fact.text, fact.number].filter(Boolean).join(" "));
      this.live.textContent = `${where.join(", ")}: ${what.join(", ")}`;
    }

    // Choosing

    act([row, column]) {
      const { click, rows, columns } = this.spec;
      if (!click) return;
      const ends = { row: rows.at ? rows.at[row] : row, col: columns.at ? columns.at[column] : column };
      const names = { row: rows.names[row], col: columns.names[column] };
      if (click.change) {
        const changes = {};
        for (const [address, what] of Object.entries(click.change)) {
          const value = what === "[row,col]" ? [ends.row, ends.col] : what in ends ? ends[what] : what;
          const isSame = JSON.stringify(av.get?.(address)) === JSON.stringify(value);
          changes[address] = isSame ? null : value;
        }
        av.change?.(changes);
      }
      if (click.act) av.act?.(click.act, ends);
      if (click.position) av.change?.({ "shared.position": ends[click.position] });
      if (click.head) {
        const heads = Array.isArray(click.head) ? click.head
          : click.head === "both" ? [...new Set([names.row, names.col])] : [names[click.head]];
        av.pick?.(heads);
      }
    }

    // Keys

    start() {
      const rows = this.spec.rows.names.length;
      const [row, column] = this.followed("focus", this.spec.focus) || [];
      const mark = this.spec.marks?.[0]?.[0];
      const cell = [row ?? (this.spec.triangle || this.spec.up ? rows - 1 : 0), column ?? mark ?? 0];
      return this.has(cell) ? cell : [rows - 1, 0];
    }

    press(event) {
      const [row, column] = this.cursor || this.start();
      const up = this.spec.up ? 1 : -1;
      const rows = this.spec.rows.names.length, columns = this.spec.columns.names.length;
      const far = event.ctrlKey || event.metaKey;
      const ends = far ? [up < 0 ? 0 : rows - 1, up < 0 ? rows - 1 : 0] : [row, row];
      const moves = {
        ArrowUp: [row + up, column], ArrowDown: [row - up, column],
        ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
        PageUp: [row + PAGE * up, column], PageDown: [row - PAGE * up, column],
        Home: [ends[0], 0], End: [ends[1], columns - 1],
      };
      if (event.altKey || (far && !["Home", "End"].includes(event.key))) return;
      if (event.key === "Enter" || event.key === " ") {
        this.act([row, column]);
        this.paint();
      } else if (event.key === "Escape" && tip && !tip.hidden) {
        hideTip();
      } else if (moves[event.key]) {
        const to = moves[event.key];
        to[0] = clamp(to[0], 0, rows - 1);
        to[1] = clamp(to[1], 0, (this.spec.triangle ? this.spec.values[to[0]].length : columns) - 1);
        this.cursor = to;
        this.hasKeys = true;
        this.reveal();
        this.say(to);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    }

    // The cursor's cell scrolled into sight, with its tooltip.
    reveal() {
      const { box, width, height } = this;
      const x = this.cursor[1] * width, y = this.top(this.cursor[0]);
      const wide = box.clientWidth - this.left, high = box.clientHeight - this.below;
      box.scrollLeft = clamp(box.scrollLeft, x + width - wide, x);
      box.scrollTop = clamp(box.scrollTop, y + height - high, y);
      this.paint();
      showTip(this.facts(this.cursor), this.anchor(this.cursor), this.element);
    }
  }

  const drawn = new Map(); // of elements in the page
  let listens = false;

  // What a matrix follows is there in the browser: no answer has to be waited for.
  const listen = () => {
    if (listens || !av.onChange) return;
    listens = true;
    av.onChange(() => {
      for (const [element, matrix] of drawn) {
        if (!element.isConnected) drawn.delete(element);
        else if (matrix.spec.follow) matrix.later();
      }
    });
  };

  av.drawers.matrix = (element, spec) => {
    listen();
    if (pointed && !pointed.isConnected) hideTip();
    let matrix = drawn.get(element);
    if (!matrix || matrix.box.parentNode !== element) drawn.set(element, (matrix = new Matrix(element)));
    matrix.draw(spec);
  };
})();
