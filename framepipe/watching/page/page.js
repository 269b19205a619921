"use strict";
// All texts of the store go into the page as text (textContent), never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const DONE = "d", STALE = "s", FAILED = "f", BROKEN = "b", DRAWING = "w", MISSING = "m";
  const STATES = [
    [DONE, "done"], [DRAWING, "drawn now"], [FAILED, "failed"], [BROKEN, "broken"], [STALE, "stale"], [MISSING, "missing"],
  ];
  const NOUNS = { d: "done", w: "is drawn now", f: "failed", b: "is broken", s: "stale", m: "missing" };

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function setText(id, text) {
    const there = byId(id);
    if (there.textContent !== text) there.textContent = text;
  }

  const plain = new Intl.NumberFormat("en");
  const count = (number) => plain.format(number);

  function rateText(rate) {
    if (rate >= 0.995) return rate.toPrecision(rate >= 100 ? 3 : 2).replace(/^(\d+)\.0$/, "$1") + " frames/s";
    return rate * 60 >= 0.995 ? (rate * 60).toPrecision(2) + " frames/min" : (rate * 3600).toPrecision(2) + " frames/h";
  }

  function sizeText(bytes) {
    let size = bytes;
    for (const unit of ["bytes", "kB", "MB", "GB"]) {
      if (size < 1000) return (unit === "bytes" ? String(size) : size.toPrecision(3)) + " " + unit;
      size /= 1000;
    }
    return size.toPrecision(3) + " TB";
  }

  function durationText(seconds) {
    if (seconds < 60) return Math.max(1, Math.round(seconds)) + " s";
    if (seconds < 5400) return Math.round(seconds / 60) + " min";
    if (seconds < 172800) return Math.floor(seconds / 3600) + " h " + Math.round((seconds % 3600) / 60) + " min";
    return Math.round(seconds / 86400) + " days";
  }

  function clockText(seconds) {
    const then = new Date(seconds * 1000);
    const isToday = then.toDateString() === new Date().toDateString();
    const clock = { hour: "2-digit", minute: "2-digit", hour12: false };
    return then.toLocaleString("en", isToday ? clock : { weekday: "short", day: "numeric", month: "short", ...clock });
  }

  // ---- the state, as the server sends it

  let state = null;
  let version = -1;
  let letters = ""; // of each position of the plan
  let runs = []; // of numbers: { at, count, first, step }
  let shownBefore = null; // percent and phase, for what is said aloud

  const nap = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  async function poll() {
    for (;;) {
      try {
        const answer = await fetch("state?since=" + version, { signal: AbortSignal.timeout(45000), cache: "no-store" });
        if (answer.status === 404 || answer.status === 421) throw new Error("address");
        if (!answer.ok) throw new Error("answer");
        const next = await answer.json();
        connect("live", "live");
        if (next.over && state) next.newest = state.newest; // nobody is there any more to send others
        if (next.version !== version) take(next);
        if (next.over) {
          connect("over", "the command has ended: this is how it was at " + clockText(lastAnswer));
          version = -1;
          await nap(3000); // it may be started again
        }
        if (document.hidden) await Promise.race([nap(15000), seen()]);
      } catch (error) {
        version = -1; // another server counts anew
        if (byId("connection").dataset.state === "over") {
          await nap(3000);
          continue;
        }
        if (error.message === "address") connect("lost", "this address is no longer right: take the one that framepipe watch prints now");
        else connect("lost", "framepipe watch does not answer: below is how it was" + (state ? " at " + clockText(lastAnswer) : "") + ". Trying again");
        await nap(1500);
      }
    }
  }

  const seen = () => new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

  let lastAnswer = 0;
  function connect(kind, text) {
    if (kind === "live") lastAnswer = Date.now() / 1000;
    byId("connection").dataset.state = kind;
    setText("connection-text", text);
  }

  function take(next) {
    version = next.version;
    if (next.phase === "gone" && state) {
      state = { ...state, phase: "gone", problem: next.problem, rate: 0, tasks: [], left: next.left };
      showProgress();
      showTasks();
      showMovies();
      return;
    }
    const before = letters;
    state = next;
    letters = next.frames.map(([letter, length]) => letter.repeat(length)).join("");
    runs = [];
    let at = 0;
    for (const [first, length, step] of next.numbers) {
      runs.push({ at, count: length, first: BigInt(first), step: BigInt(step) });
      at += length;
    }
    forget(before);
    document.title = percentText() + " " + (next.name || "framepipe");
    setText("name", next.name || "framepipe");
    setText("store", next.store);
    showProgress();
    showFailures();
    showTasks();
    showMovies();
    showNewest();
    const scrub = byId("scrub");
    scrub.max = Math.max(0, letters.length - 1);
    byId("picture").style.backgroundColor = next.background ? "rgb(" + next.background.join(",") + ")" : "";
    if (isFollowing && next.newest.length) go(positionOf(next.newest[0][0]));
    else if (letters.length && (target < 0 || before[target] !== letters[target])) go(Math.max(target, 0));
    paintBar();
  }

  function numberAt(position) {
    let low = 0, high = runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (runs[middle].at <= position) low = middle;
      else high = middle - 1;
    }
    const run = runs[low];
    return run ? String(run.first + run.step * BigInt(position - run.at)) : "";
  }

  function positionOf(text) {
    const number = BigInt(text);
    for (const { at, count: length, first, step } of runs) {
      const past = number - first;
      if (past % step === 0n && past / step >= 0n && past / step < BigInt(length)) return at + Number(past / step);
    }
    return -1;
  }

  // ---- how far, when ready, is something wrong

  function percentText() {
    if (!state || !letters.length) return "0 %";
    const share = state.counts.d / letters.length;
    return (share === 1 ? 100 : Math.min(99, Math.floor(share * 100))) + " %";
  }

  // A sentence, and what is wrong.
  function headline() {
    const { counts, phase } = state;
    const left = letters.length - counts.d - counts.f;
    const failedFrames = counts.f ? count(counts.f) + (counts.f === 1 ? " frame failed" : " frames failed") : "";
    const dead = state.tasks.filter((task) => task.state === "dead").length;
    const silent = dead ? count(dead) + (dead === 1 ? " task has died" : " tasks have died") : "";
    const failed = [failedFrames, silent].filter(Boolean).join(", ");
    if (phase === "gone") {
      const left = Object.values(state.left);
      if (left.length && left.every((size) => size !== null)) return ["Complete: " + (left.length === 1 ? "the movie is" : "all movies are") + " verified, and the frames deleted", ""];
      return ["", "The frames are gone: " + (state.problem || "somebody has deleted the store")];
    }
    if (phase === "recorded") {
      const verb = counts.d === 1 ? " frame is recorded" : " frames are recorded";
      return [count(counts.d) + verb + (state.newest_s ? ", the newest at " + clockText(state.newest_s) : ""), left ? count(left) + (left === 1 ? " is missing" : " are missing") : ""];
    }
    if (phase === "waiting") return ["Waiting: nobody has begun to draw yet", ""];
    if (phase === "complete") {
      const passed = state.movies.filter((movie) => movie.passed).length;
      const names = new Set(state.movies.map((movie) => movie.name));
      const rest = state.outputs.filter((name) => !names.has(name)).length;
      const parts = ["Complete: all frames are done"];
      if (passed) parts.push((passed === 1 ? "1 movie is" : passed + " movies are") + " verified");
      if (rest) parts.push((rest === 1 ? "1 movie is" : rest + " movies are") + " not built yet");
      return [parts.join(", "), ""];
    }
    if (phase === "failed") return ["", "Stopped: " + failed + (left ? ", " + count(left) + (left === 1 ? " is" : " are") + " missing" : "")];
    if (phase === "stopped") return [letters.length ? "Nobody draws now: " + count(left) + (left === 1 ? " frame is" : " frames are") + " left" : "Nothing is drawn yet", silent];
    if (state.grows) return ["Drawing; how many frames there will be is not known", failed];
    if (!left) return ["Drawing: the last frames", failed];
    if (!state.rate) return ["Drawing; how fast is being measured", failed];
    const leftS = left / state.rate;
    return ["Drawing: ready in about " + durationText(leftS) + ", at " + clockText(Date.now() / 1000 + leftS), failed];
  }

  function showProgress() {
    const { counts, phase } = state;
    const total = Math.max(1, letters.length);
    byId("progress").dataset.phase = phase;
    setText("percent", percentText());
    const [good, bad] = headline();
    setText("good", good + (good && bad ? "; " : ""));
    setText("bad", bad);
    const parts = [count(counts.d) + " of " + count(letters.length) + " frames"];
    if (state.rate && phase === "drawing") parts.push(rateText(state.rate));
    const living = state.tasks.filter((task) => task.state === "drawing");
    const hosts = new Set(living.map((task) => task.host));
    if (living.length > 1) parts.push(living.length + " tasks on " + hosts.size + (hosts.size === 1 ? " host" : " hosts"));
    if (state.width_px) parts.push(state.width_px + "\u00d7" + state.height_px + " px");
    if (state.size_bytes) parts.push(sizeText(state.size_bytes));
    setText("sub", parts.join("  \u00b7  "));
    const meter = byId("meter");
    for (const part of meter.children) part.style.width = (100 * counts[part.className]) / total + "%";
    meter.setAttribute("aria-valuenow", String(Math.floor((100 * counts.d) / total)));
    meter.setAttribute("aria-valuetext", count(counts.d) + " of " + count(letters.length));
    const list = byId("counts");
    list.replaceChildren(...STATES.filter(([letter]) => counts[letter] || letter === DONE).map(([letter, noun]) => {
      const item = element("li", undefined, letter);
      item.append(element("i", undefined, letter), element("b", count(counts[letter])), " " + noun);
      return item;
    }));
    const needsHint = (phase === "stopped" || phase === "failed") && !state.recorded && letters.length > 0;
    byId("hint").hidden = !needsHint;
    setText("hint-command", state.go_on);
    byId("problem").hidden = !(counts.f || counts.b);
    sayProgress();
  }

  function sayProgress() {
    const now = { tenth: Math.floor((10 * state.counts.d) / Math.max(1, letters.length)), phase: state.phase, failed: state.counts.f };
    const before = shownBefore;
    shownBefore = now;
    if (before && before.tenth === now.tenth && before.phase === now.phase && before.failed === now.failed) return;
    setText("said", percentText() + ". " + headline().filter(Boolean).join("; "));
  }

  // What has not changed stays as it is: a button keeps its focus, what is unfolded stays so.
  const drawn = new Map(); // section -> what it shows, as text
  function isNew(section, ...data) {
    const text = JSON.stringify(data);
    if (drawn.get(section) === text) return false;
    drawn.set(section, text);
    return true;
  }

  function showFailures() {
    if (!isNew("failures", state.failures, state.reasons)) return;
    byId("failures").hidden = !state.failures.length;
    byId("failure-list").replaceChildren(...state.failures.map((failure) => {
      const button = element("button", failure.message);
      button.type = "button";
      const frames = (failure.count === 1 ? "frame " : count(failure.count) + " frames: ") + failure.numbers;
      button.append(element("small", frames + "  \u00b7  " + failure.where + ", " + clockText(failure.time_s)));
      button.addEventListener("click", () => choose(positionOf(failure.first)));
      const item = element("li");
      item.append(button);
      return item;
    }));
    byId("reasons").hidden = !state.reasons.length;
    byId("reason-list").replaceChildren(...state.reasons.map((reason) => element("li", reason)));
  }

  function showTasks() {
    if (!isNew("tasks", state.tasks)) return;
    const tasks = state.tasks.filter((task) => task.state !== "ended");
    tasks.sort((one, other) => (one.state === "drawing") - (other.state === "drawing")); // what is wrong comes first
    byId("tasks").hidden = !tasks.length;
    byId("task-rows").replaceChildren(...tasks.flatMap((task) => {
      const row = element("tr");
      row.dataset.state = task.state;
      const name = element("td", task.task);
      const says = task.state === "dead" ? "says nothing any more" : task.state === "stopped" ? "stopped" : task.drawing ? "draws " + task.drawing : "";
      const more = [task.shard ? "shard " + task.shard : "", says, task.requeues ? "started again " + task.requeues + "\u00d7" : "", task.helped ? count(task.helped) + " of others" : ""];
      if (task.state === "drawing" && task.workers) more.push(task.workers + " processes");
      if (task.failed) more.push(count(task.failed) + " failed");
      const details = element("tr", undefined, "more"), cell = element("td", more.filter(Boolean).join(", "));
      cell.colSpan = 5;
      details.append(cell);
      const isAlive = task.state === "drawing";
      row.append(
        name,
        element("td", count(task.done) + "/" + count(task.total)),
        element("td", isAlive && task.frames_per_s ? String(Number(task.frames_per_s.toPrecision(2))) : "\u2013"),
        element("td", isAlive && task.memory_bytes ? task.processors.toFixed(1) : "\u2013"),
        element("td", isAlive && task.memory_bytes ? sizeText(task.memory_bytes) : "\u2013"),
      );
      return [row, details];
    }));
  }

  const opened = new Set(); // movies whose checks are looked at
  function showMovies() {
    if (!isNew("movies", state.movies, state.outputs, state.left, state.phase)) return;
    const names = new Set(state.movies.map((movie) => movie.name));
    const rest = state.outputs.filter((name) => !names.has(name));
    byId("movies").hidden = !state.movies.length && !rest.length;
    byId("movie-list").replaceChildren(
      ...state.movies.map(movieItem),
      ...rest.map((name) => {
        const item = element("li");
        const size = state.left[name];
        // make gives a movie its name once it has passed
        const text = typeof size === "number" ? "verified  \u00b7  " + sizeText(size) : state.phase === "gone" ? "is not there" : "not built yet";
        item.append(element("strong", name), element("small", text));
        return item;
      }),
    );
  }

  function movieItem(movie) {
    const item = element("li");
    const right = movie.checks.filter((check) => check.ok).length;
    const verdict = (movie.passed ? "\u2713 verified" : "\u2717 not verified") + (movie.checks.length ? ": " + right + " of " + movie.checks.length + " checks as expected" : "");
    const facts = [];
    if (movie.frames) facts.push(count(movie.frames) + " frames");
    if (movie.duration_s) facts.push(movie.duration_s.toFixed(2) + " s");
    if (movie.width_px) facts.push(movie.width_px + "\u00d7" + movie.height_px);
    if (movie.size_bytes) facts.push(sizeText(movie.size_bytes));
    facts.push(movie.encoder);
    item.append(element("strong", movie.path));
    if (!movie.checks.length) {
      item.append(element("p", verdict, movie.passed ? "yes" : "no"));
    } else {
      const details = element("details");
      details.open = opened.has(movie.path);
      details.addEventListener("toggle", () => (details.open ? opened.add(movie.path) : opened.delete(movie.path)));
      const table = element("table");
      for (const check of movie.checks) {
        const row = element("tr");
        row.append(element("td", check.ok ? "\u2713" : "\u2717 wrong", check.ok ? "yes" : "no"), element("td", check.name), element("td", check.ok ? check.seen : check.seen + ", expected " + check.expected));
        table.append(row);
      }
      details.append(element("summary", verdict, movie.passed ? "yes" : "no"), table);
      item.append(details);
    }
    item.append(element("small", facts.filter(Boolean).join("  \u00b7  ")));
    return item;
  }

  const tiles = new Map(); // "number inode" -> item
  function showNewest() {
    const list = byId("newest");
    const wanted = state.newest.map(([number, inode]) => number + " " + inode);
    for (const [key, item] of tiles) {
      if (!wanted.includes(key)) {
        item.remove();
        tiles.delete(key);
      }
    }
    state.newest.forEach(([number, inode], place) => {
      let item = tiles.get(wanted[place]);
      if (!item) {
        item = element("li");
        const button = element("button");
        button.type = "button";
        button.dataset.number = number;
        const image = element("img");
        image.alt = "";
        image.decoding = "async";
        image.src = "small/" + number + ".jpg?v=" + inode;
        button.append(image, element("span", "Frame " + number));
        button.addEventListener("click", () => choose(positionOf(number)));
        item.append(button);
        tiles.set(wanted[place], item);
      }
      if (list.children[place] !== item) list.insertBefore(item, list.children[place] || null);
    });
    markTile();
  }

  function markTile() {
    const number = target < 0 ? "" : numberAt(target);
    for (const item of tiles.values()) {
      const button = item.firstChild;
      button.setAttribute("aria-current", String(button.dataset.number === number));
    }
  }

  // ---- the frames: fetched when they are near, so that memory does not grow with the film

  const DECODED_BYTES = 128e6, AT_ONCE = 4, AHEAD = 24;
  const bitmaps = new Map(); // number -> ImageBitmap, the least recently used first
  const loading = new Map(); // number -> AbortController
  const absent = new Set(); // numbers that could not be loaded
  const inodes = new Map(); // number -> the inode it was last said to have

  let target = -1; // the position that is asked for
  let isFollowing = true;
  const canvas = byId("picture");
  const brush = canvas.getContext("2d");
  const isThere = (position) => letters[position] === DONE || letters[position] === STALE;

  // The position whose picture stands for this one: itself, or the nearest before it, or else after it.
  function heldAt(position) {
    if (isThere(position)) return position;
    const before = Math.max(letters.lastIndexOf(DONE, position), letters.lastIndexOf(STALE, position));
    if (before >= 0) return before;
    const after = [letters.indexOf(DONE, position), letters.indexOf(STALE, position)].filter((each) => each >= 0);
    return after.length ? Math.min(...after) : -1;
  }

  // Frames that were drawn anew, or are gone, are asked for again.
  function forget(before) {
    absent.clear();
    for (const [number, inode] of state.newest) {
      if (inodes.has(number) && inodes.get(number) !== inode) drop(number);
      inodes.set(number, inode);
    }
    for (const number of [...bitmaps.keys()]) {
      const position = positionOf(number);
      if (position < 0 || letters[position] !== before[position]) drop(number);
    }
  }

  function drop(number) {
    bitmaps.get(number)?.close();
    bitmaps.delete(number);
    loading.get(number)?.abort();
    loading.delete(number);
  }

  function wantedNow() {
    const held = heldAt(target);
    if (held < 0) return [];
    const wanted = [numberAt(held)];
    if (isPlaying) {
      for (let position = target + 1; position < letters.length && wanted.length < AHEAD; position++) {
        if (isThere(position)) wanted.push(numberAt(position));
      }
    } else {
      for (const near of [held + 1, held - 1]) if (isThere(near)) wanted.push(numberAt(near));
    }
    return wanted;
  }

  function fetchNear() {
    const wanted = wantedNow();
    for (const [number, controller] of loading) {
      if (!wanted.includes(number)) {
        controller.abort();
        loading.delete(number);
      }
    }
    for (const number of wanted) {
      if (loading.size >= AT_ONCE) break;
      if (bitmaps.has(number) || loading.has(number) || absent.has(number)) continue;
      const controller = new AbortController();
      loading.set(number, controller);
      load(number, controller)
        .then((bitmap) => keep(number, bitmap))
        .catch((error) => { if (error.name !== "AbortError") absent.add(number); })
        .finally(() => {
          if (loading.get(number) === controller) loading.delete(number);
          show();
          fetchNear();
        });
    }
  }

  async function load(number, controller) {
    const answer = await fetch("frame/" + number + ".png", { signal: controller.signal });
    if (!answer.ok) throw new Error("absent");
    // no colour management: the samples go to the canvas as they are
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "default" });
    if (controller.signal.aborted) throw new DOMException("", "AbortError");
    return bitmap;
  }

  function keep(number, bitmap) {
    bitmaps.set(number, bitmap);
    let bytes = 0;
    for (const each of bitmaps.values()) bytes += each.width * each.height * 4;
    const needed = new Set(wantedNow().slice(0, 8));
    for (const [other, each] of bitmaps) {
      if (bytes <= DECODED_BYTES) break;
      if (needed.has(other)) continue;
      bytes -= each.width * each.height * 4;
      drop(other);
    }
  }

  function go(position) {
    if (!letters.length) return;
    target = Math.min(Math.max(position, 0), letters.length - 1);
    fetchNear();
    show();
    describeSoon();
    markTile();
  }

  // By the user's hand.
  function choose(position) {
    pause();
    follow(false);
    go(position);
    setText("said", placeText());
  }

  function placeText() {
    const what = letters[target] === DONE ? "" : ", " + NOUNS[letters[target]];
    return "Frame " + numberAt(target) + what;
  }

  // Picture, mark, number and slider change together; a gap is held and marked.
  function show() {
    if (target < 0 || target >= letters.length) return;
    const held = heldAt(target);
    const number = numberAt(target), heldNumber = held < 0 ? "" : numberAt(held);
    const bitmap = bitmaps.get(heldNumber);
    const stage = byId("stage"), mark = byId("mark"), scrub = byId("scrub");
    scrub.value = target;
    scrub.setAttribute("aria-valuetext", placeText() + ", " + (target + 1) + " of " + letters.length);
    setText("place", "Frame " + number + "  \u00b7  " + count(target + 1) + " of " + count(letters.length));
    const isAbsent = held >= 0 && absent.has(heldNumber);
    if (held >= 0 && !bitmap && !isAbsent) return; // it is on its way
    stage.dataset.empty = held < 0 || isAbsent ? "yes" : "no";
    stage.dataset.held = held === target ? "no" : "yes";
    if (isAbsent) setText("empty", "Frame " + heldNumber + " cannot be shown.");
    else if (held < 0) setText("empty", "No frame is done yet.");
    mark.hidden = letters[target] === DONE;
    mark.dataset.kind = letters[target];
    mark.textContent = isThere(target) ? "Frame " + number + " is stale: it will be drawn again"
      : "Frame " + number + " " + (letters[target] === MISSING ? "is missing" : NOUNS[letters[target]]) + (held < 0 ? "" : "; frame " + heldNumber + " is shown");
    if (bitmap) {
      bitmaps.delete(heldNumber);
      bitmaps.set(heldNumber, bitmap); // the most recently used
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
      }
      brush.globalCompositeOperation = "copy"; // replaces all pixels, transparent ones too
      brush.drawImage(bitmap, 0, 0);
    }
    canvas.setAttribute("aria-label", mark.hidden ? placeText() : mark.textContent);
    canvas.dataset.number = heldNumber;
    canvas.dataset.position = String(target);
  }

  // ---- all frames as a strip: the worst state of what a pixel stands for

  function paintBar() {
    const bar = byId("bar");
    const ratio = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(bar.clientWidth * ratio)), height = Math.round(20 * ratio);
    if (bar.width !== width || bar.height !== height) {
      bar.width = width;
      bar.height = height;
    }
    const pen = bar.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    pen.globalAlpha = 1;
    pen.fillStyle = colour("hole");
    pen.fillRect(0, 0, width, height);
    if (!letters.length) return;
    const total = letters.length;
    let column = 0;
    while (column < width) {
      const from = Math.floor((column * total) / width);
      // few frames: a frame is several columns wide
      const until = Math.max(column + 1, total < width ? Math.ceil(((from + 1) * width) / total) : column + 1);
      const part = letters.slice(from, Math.max(from + 1, Math.floor((until * total) / width)));
      const span = Math.min(until, width) - column;
      const done = part.split(DONE).length - 1;
      if (done) {
        pen.globalAlpha = 0.35 + (0.65 * done) / part.length;
        pen.fillStyle = colour("accent");
        pen.fillRect(column, 0, span, height);
        pen.globalAlpha = 1;
      }
      if (part.includes(STALE)) {
        pen.fillStyle = colour("odd");
        pen.fillRect(column, height * 0.5, span, height);
      }
      if (part.includes(DRAWING)) {
        pen.fillStyle = colour("soft");
        pen.fillRect(column, height * 0.5, Math.max(span, 2 * ratio), height);
      }
      if (part.includes(FAILED) || part.includes(BROKEN)) {
        pen.fillStyle = colour("bad");
        pen.fillRect(column, 0, Math.max(span, 2 * ratio), height);
      }
      column = until;
    }
  }
  new ResizeObserver(paintBar).observe(byId("bar"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintBar);

  // ---- one frame: its facts, and why it failed

  let description = 0;
  let describedNumber = "";
  function describeSoon() {
    clearTimeout(description);
    const number = numberAt(target);
    setText("about-title", "Frame " + number);
    if (isPlaying) return;
    description = setTimeout(() => describe(number), number === describedNumber ? 400 : 60);
  }

  async function describe(number) {
    let about;
    try {
      const answer = await fetch("frame/" + number + ".json", { cache: "no-store" });
      if (!answer.ok) return;
      about = await answer.json();
    } catch {
      return;
    }
    if (number !== numberAt(target)) return;
    describedNumber = number;
    const failure = about.failure;
    const time = failure ? failure.time_s : about.time_s;
    const rows = [
      ["state", about.state + (about.why ? ": " + about.why : "")],
      ["value", about.value],
      ["place", count(about.index + 1) + " of " + count(letters.length) + ", at " + (about.index / state.fps).toFixed(2) + " s at " + Number(state.fps.toFixed(3)) + " fps"],
      [failure ? "failed at" : "drawn at", time ? clockText(time) : ""],
      ["host", about.host],
      ["task", about.task],
      ["file", about.size_bytes ? sizeText(about.size_bytes) : ""],
    ];
    byId("facts").replaceChildren(...rows.filter(([, text]) => text).flatMap(([noun, text]) => [element("dt", noun), element("dd", text)]));
    byId("facts").dataset.number = number;
    byId("failure").hidden = !failure;
    setText("message", failure ? failure.message : "");
    setText("traceback", failure ? [failure.traceback, failure.output].filter(Boolean).join("\n") : "");
    byId("traceback").hidden = !byId("traceback").textContent;
    byId("alone").hidden = about.state === "done" || about.state === "drawing" || state.recorded;
    setText("alone-command", about.command);
    byId("open").hidden = !about.can_be_shown;
  }

  function openFull() {
    const number = canvas.dataset.number;
    if (!number) return;
    pause();
    byId("full-picture").src = "frame/" + number + ".png";
    byId("full-picture").alt = "Frame " + number;
    setText("full-title", "Frame " + number);
    byId("full").showModal();
  }
  canvas.addEventListener("click", openFull);
  byId("full-button").addEventListener("click", openFull);
  byId("full-picture").addEventListener("click", () => byId("full").close());

  // ---- playing what is there: the clock says what is due, and waits for pictures that are on their way

  let isPlaying = false;
  let since = null, from = 0;
  const end = () => Math.max(letters.lastIndexOf(DONE), letters.lastIndexOf(STALE));
  const isReady = () => { const held = heldAt(target); return held < 0 || bitmaps.has(numberAt(held)) || absent.has(numberAt(held)); };

  function play() {
    if (isPlaying || end() < 1) return;
    follow(false);
    if (target >= end()) go(0);
    since = null;
    setPlaying(true);
    fetchNear();
    requestAnimationFrame(tick);
  }

  function pause() {
    if (!isPlaying) return;
    setPlaying(false);
    describeSoon();
  }

  function setPlaying(value) {
    isPlaying = value;
    byId("play").setAttribute("aria-label", value ? "Pause" : "Play");
    byId("play-shape").setAttribute("d", value ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4v16l13-8z");
  }

  function tick(now) {
    if (!isPlaying) return;
    if (since === null || !isReady()) {
      since = now;
      from = target;
    }
    const due = from + Math.floor(((now - since) / 1000) * state.fps * Number(byId("speed").value));
    if (due > target) {
      if (target >= end()) {
        since = null;
        go(0);
      } else go(Math.min(due - target > 12 ? due : target + 1, end()));
    }
    requestAnimationFrame(tick);
  }

  function follow(value) {
    isFollowing = value;
    byId("follow").setAttribute("aria-pressed", String(value));
  }

  byId("speed").addEventListener("change", () => { since = null; });
  byId("play").addEventListener("click", () => (isPlaying ? pause() : play()));
  byId("first").addEventListener("click", () => choose(0));
  byId("back").addEventListener("click", () => choose(target - 1));
  byId("next").addEventListener("click", () => choose(target + 1));
  byId("last").addEventListener("click", () => choose(letters.length - 1));
  byId("scrub").addEventListener("input", () => choose(Number(byId("scrub").value)));
  byId("follow").addEventListener("click", () => {
    pause();
    follow(!isFollowing);
    if (isFollowing && state && state.newest.length) go(positionOf(state.newest[0][0]));
  });
  byId("problem").addEventListener("click", () => {
    const places = (start) => [letters.indexOf(FAILED, start), letters.indexOf(BROKEN, start)].filter((each) => each >= 0);
    const found = places(target + 1).length ? places(target + 1) : places(0);
    if (found.length) choose(Math.min(...found));
  });

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const text = byId(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      } catch { // not allowed here: it is chosen, for Ctrl-C
        getSelection().selectAllChildren(text);
      }
    });
  }

  // No letters: they would get in the way of those who speak to their browser (WCAG 2.1.4).
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };
  document.addEventListener("keydown", (event) => {
    const where = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || byId("full").open) return;
    if (where.tagName === "SELECT" || where.id === "traceback" || where.className === "scrolls") return;
    if (event.key in STEPS) choose(target + STEPS[event.key]);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(letters.length - 1);
    else if (event.key === " " && !["BUTTON", "SUMMARY"].includes(where.tagName)) isPlaying ? pause() : play();
    else return;
    event.preventDefault();
  });

  byId("all").hidden = !location.pathname.includes("/point/");  // one of a sweep
  poll();
})();
