// The points of a sweep: a row each, which leads to the page of its frames. Texts are data, never markup.
"use strict";
const byId = (id) => document.getElementById(id);
const REST_MS = 2000;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function newRow() {
  const row = document.createElement("li");
  const link = document.createElement("a");
  const meter = document.createElement("div");
  meter.className = "meter";
  for (const kind of ["d", "f"]) {
    const part = document.createElement("i");
    part.className = kind;
    meter.append(part);
  }
  const text = document.createElement("p");
  row.append(link, meter, text);
  return row;
}

function fill(row, point) {
  const [link, meter, text] = row.children;
  setText(link, point.name);
  link.href = point.page;
  row.dataset.state = point.state;
  for (const part of meter.children) part.style.width = share(part.className === "d" ? point.done : point.failed, point.total);
  setText(text, point.text);
}

const share = (count, total) => (total ? (100 * count) / total : 0) + "%";

function show(sweep) {
  const rows = byId("points");
  while (rows.children.length < sweep.points.length) rows.append(newRow());
  while (rows.children.length > sweep.points.length) rows.lastChild.remove();
  sweep.points.forEach((point, at) => fill(rows.children[at], point));
  const percent = sweep.total ? Math.floor((100 * sweep.done) / sweep.total) : 0;
  setText(byId("store"), sweep.store);
  setText(byId("percent"), percent + " %");
  setText(byId("headline"), sweep.headline);
  setText(byId("sub"), sweep.sub);
  const meter = byId("meter");
  meter.setAttribute("aria-valuenow", String(percent));
  meter.children[0].style.width = share(sweep.done, sweep.total);
  meter.children[1].style.width = share(sweep.failed, sweep.total);
  document.title = percent + " % " + sweep.store;
}

function setConnection(state, text) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), text);
}

async function listen() {
  for (;;) {
    try {
      const answer = await fetch("points.json", { cache: "no-store", signal: AbortSignal.timeout(45000) });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
      setConnection("live", "live");
    } catch {
      setConnection("lost", "no answer: framepipe watch has ended, or cannot be reached");
    }
    await new Promise((go) => setTimeout(go, REST_MS));
    if (document.hidden) await new Promise((go) => document.addEventListener("visibilitychange", go, { once: true }));
  }
}

listen();
