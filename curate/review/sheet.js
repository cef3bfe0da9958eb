/* The sheet at work: which image is current, what is answered, and where answers are kept.
   Texts of the workspace reach the page as text alone; no markup is made here. */
"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const { rows, classes } = data;
const tiles = [...document.querySelectorAll(".shot")];
const clusters = data.clusters.map((cluster, number) => ({ ...cluster, section: $(`c${number}`), rows: [] }));
rows.forEach((row, number) => clusters[row.cluster].rows.push(number));
const wide = matchMedia("(min-width: 56.01rem)");

const { next: NEXT, least: LEAST, few: FEW } = data.pace; // see curate/review/pace.py
const PAUSE = 60; // seconds that a pause counts for at most
const SHOWN = 50; // classes in the list of "relabel to" at once

const answers = new Map(); // image_id -> record, also of images that only an earlier sheet asked about
let acts = []; // what undo takes back, last one last: {number, row, before: [[image_id, record or null], …]}
let state = { number: 0, saved: 0 }; // number of the last change, and of the last one that is in a saved file
const shown = new Uint8Array(rows.length); // 1 for a row that is shown as answered, also one to compare that K decided
let current = -1;
let database = null;
let paced = { answers: 0, seconds: 0, last: performance.now() };

/* Where answers are kept ------------------------------------------------------------------------------------------ */

function request(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function openStore() {
  const asked = indexedDB.open(`curate review ${data.workspace} by ${data.by}`, 1);
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("answers", { keyPath: "image_id" });
    asked.result.createObjectStore("acts", { keyPath: "number" });
    asked.result.createObjectStore("state");
  };
  database = await request(asked);
  database.onclose = () => lose("the browser closed its store");
  await recall();
}

/* Reads all that is kept, unless something is answered while it reads. */
async function recall() {
  const before = state.number;
  const work = database.transaction(["answers", "acts", "state"]);
  const [kept, done, number, saved, name] = await Promise.all([
    request(work.objectStore("answers").getAll()),
    request(work.objectStore("acts").getAll()),
    ...["number", "saved", "name"].map((key) => request(work.objectStore("state").get(key))),
  ]);
  if (state.number !== before) return;
  answers.clear();
  for (const record of kept) answers.set(record.image_id, record);
  acts = done;
  state = { number: number ?? 0, saved: saved ?? 0 };
  if (name) $("by").value = name;
}

/* Another window with this sheet may have kept answers meanwhile. */
async function catchUp() {
  const number = database && (await request(database.transaction("state").objectStore("state").get("number")));
  if (!number || number === state.number) return;
  await recall();
  showAll();
}

/* Writes what has changed, then says so: `data-kept` on <html> is the number of the last change that is kept. */
function keep(changed, { act, undone, started = performance.now(), also = {} }) {
  const number = state.number;
  document.documentElement.dataset.act = number;
  if (!database) return;
  let work;
  try {
    work = database.transaction(["answers", "acts", "state"], "readwrite", { durability: "strict" });
    for (const id of changed) {
      if (answers.has(id)) work.objectStore("answers").put(answers.get(id));
      else work.objectStore("answers").delete(id);
    }
    if (act) work.objectStore("acts").put(act);
    if (undone) work.objectStore("acts").delete(undone);
    for (const [key, value] of Object.entries({ ...state, ...also })) work.objectStore("state").put(value, key);
    work.commit();
  } catch (error) {
    lose(error.message);
    return;
  }
  work.oncomplete = () => {
    document.documentElement.dataset.kept = number;
    document.dispatchEvent(new CustomEvent("kept", { detail: { number, ms: performance.now() - started } }));
    if (number === state.number) showKept();
  };
  work.onabort = () => lose(work.error?.message ?? "the browser gave up");
}

function lose(why) {
  database = null;
  document.documentElement.dataset.lost = why;
  $("lost").hidden = false;
  $("lost").textContent = `This browser keeps no answers (${why}). They are in this window alone: save answers.csv before you close it.`;
  showKept();
}

function showKept() {
  const kept = database && Number(document.documentElement.dataset.kept ?? state.number) >= state.number;
  const unsaved = state.number > state.saved;
  $("kept").className = !database ? "not" : kept ? "quiet" : "waiting";
  $("kept").textContent = !database ? "not stored" : !kept ? "storing" : unsaved ? "stored" : answers.size ? "saved" : "";
}

/* Answers --------------------------------------------------------------------------------------------------------- */

const answered = (number) => shown[number] === 1;
const pending = (number) => shown[number] === 0 && rows[number].asked;
const takes = (number) => rows[number]?.asked || shown[number] === 1; // what K decided can be answered anew
const now = () => `${new Date().toISOString().slice(0, 19)}Z`;
const percent = (share) => `${Math.round(100 * share)} %`;
const several = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

function inWords(record) {
  if (!record?.action) return "undecided";
  return record.action === "relabel" ? `relabelled to ${record.label}` : { keep: "kept", drop: "dropped" }[record.action];
}

function inShort(row, record) {
  if (record.action !== "relabel") return { keep: "= kept", drop: "✕ dropped" }[record.action];
  return `${record.label === row.suggested_label ? "✓" : "✎"} ${record.label}`;
}

function proposed(row) {
  if (row.proposal === "relabel") return { action: "relabel", label: row.suggested_label };
  return row.proposal === "drop" ? { action: "drop", label: "" } : null;
}

/* One act: `given` are pairs of a row's number and {action, label}, with `because` where it is not the row's, or {note}.
   It is kept, shown, and can be undone. */
function take(given, started) {
  const before = given.map(([number]) => [rows[number].image_id, answers.get(rows[number].image_id) ?? null]);
  state.number += 1;
  for (const [number, what] of given) {
    const row = rows[number];
    const old = answers.get(row.image_id);
    const fresh = what.action ? { at: now(), because: what.because ?? row.because } : {};
    const empty = { image_id: row.image_id, action: "", label: "", note: "", because: row.because, at: now() };
    answers.set(row.image_id, { ...empty, ...old, ...what, ...fresh, number: state.number });
  }
  const act = { number: state.number, row: rows[current]?.image_id ?? "", before };
  acts.push(act);
  keep(before.map(([id]) => id), { act, started });
  const count = given.filter(([number, what]) => what.action && rows[number].asked).length;
  if (count) measure(count);
  refresh(given.map(([number]) => number));
}

function undo(started) {
  const act = acts.pop();
  if (!act) return say("nothing to undo");
  state.number += 1;
  const changed = act.before.map(([id]) => id);
  const inFile = changed.some((id) => answers.get(id)?.action && answers.get(id).number <= state.saved);
  for (const [id, record] of act.before) {
    if (record) answers.set(id, { ...record, number: state.number });
    else answers.delete(id);
  }
  keep(changed, { undone: act.number, started });
  const numbers = changed.map((id) => numberOf.get(id)).filter((number) => number !== undefined);
  refresh(numbers);
  showCurrent(); // with the note of before, so that it is not taken anew
  const what = changed.length === 1 ? `${inWords(answers.get(changed[0]))} again` : `${several(changed.length, "answer", "answers")} taken back`;
  say(`undone: ${what}${inFile ? "; the file saved before still has it" : ""}`);
  goTo(numberOf.get(act.row) ?? numbers[0] ?? current);
}

const numberOf = new Map(rows.map((row, number) => [row.image_id, number]));

function decide(number, what, started) {
  if (number < 0) return;
  if (!takes(number)) return say("shown to compare: no answer is wanted");
  if (!what) return say("nothing is suggested: R relabels, N keeps, D drops");
  const old = answers.get(rows[number].image_id);
  if (old?.action !== what.action || old.label !== what.label) take([[number, what]], started);
  say(inWords(what));
  onwards(number);
}

/* All undecided ones of a cluster but the odd, which are to be looked at singly. */
function decideWhole(key, number, started) {
  const { rows: members } = clusters[number];
  const left = members.filter(pending);
  const odd = left.filter((member) => rows[member].odd).length;
  const fit = left.filter((member) => !rows[member].odd);
  const given = fit.map((member) => [member, ANSWERS[key](rows[member])]).filter(([, what]) => what);
  const oddLeft = odd ? `${several(odd, "odd one", "odd ones")} left` : "";
  if (!given.length) {
    say(oddLeft ? `${oddLeft}: look at each` : "nothing is undecided here");
    return;
  }
  take(given, started);
  const word = { accept: "accepted", keep: "kept", drop: "dropped" }[key];
  const without = fit.length - given.length;
  say([`${given.length} ${word}`, oddLeft, without ? `${without} without a suggestion left` : ""].filter(Boolean).join(", "));
  toCluster(1, number);
}

/* Of a group of duplicates the current one stays, and all others go but those of the test split; as `keep_this` of
   verdicts.py has it. */
function keepOnly(started) {
  if (current < 0) return;
  const cluster = clusters[rows[current].cluster];
  if (cluster.kind !== "duplicates") return say("“keep this one” is for groups of duplicates");
  const members = cluster.rows.filter((member) => member === current || rows[member].split !== "test");
  const what = (member) =>
    member === current ? { action: "keep", label: "" } : { action: "drop", label: "", because: rows[member].as_twin };
  take(members.map((member) => [member, what(member)]), started);
  const dropped = members.filter((member) => member !== current).length;
  say(`this one kept, ${several(dropped, "other", "others")} dropped`);
  onwards(cluster.rows.at(-1));
}

const ANSWERS = {
  accept: (row) => proposed(row),
  keep: () => ({ action: "keep", label: "" }),
  drop: () => ({ action: "drop", label: "" }),
};

/* Where we are ---------------------------------------------------------------------------------------------------- */

let follow = true; // whether the focus goes along: not where a button was pressed

function visible(number) {
  const show = $("clusters").dataset.show;
  if (show === "undecided") return !answered(number) && clusters[rows[number].cluster].left > 0;
  return show === "all" || (clusters[rows[number].cluster].done > 0 && (answered(number) || !rows[number].asked));
}

function find(from, step, fits) {
  for (let number = from; number >= 0 && number < rows.length; number += step) if (fits(number)) return number;
  return -1;
}

function goTo(number) {
  if (!rows.length) return;
  takeNote();
  let wanted = number;
  if (wanted < 0 || !visible(wanted)) wanted = find(Math.max(wanted, 0), 1, visible);
  if (wanted < 0) wanted = find(Math.min(Math.max(number, 0), rows.length - 1), -1, visible);
  $("none-shown").hidden = wanted >= 0;
  if (current >= 0) {
    tiles[current].setAttribute("aria-selected", "false");
    tiles[current].tabIndex = -1;
  }
  current = wanted;
  showCurrent();
  figures();
  if (current < 0) return;
  const tile = tiles[current]; // last, since it lays the page out
  tile.setAttribute("aria-selected", "true");
  tile.tabIndex = 0;
  if (follow) tile.focus({ preventScroll: true });
  tile.scrollIntoView({ block: "nearest" });
}

function onwards(from) {
  const after = find(from + 1, 1, pending);
  const next = after >= 0 ? after : find(0, 1, pending);
  if (next < 0) say(`${$("said").textContent}. All are answered: S saves answers.csv`);
  goTo(next < 0 || !visible(next) ? (from + 1 < rows.length ? from + 1 : from) : next);
}

/* The first undecided image of the next cluster, or of the previous one; where all is decided, its first image. */
function toCluster(step, from = rows[current]?.cluster ?? 0) {
  for (let number = from + step; number >= 0 && number < clusters.length; number += step) {
    const seen = clusters[number].rows.filter(visible);
    if (seen.length) return goTo(seen.find(pending) ?? seen[0]);
  }
  return onwards(step > 0 ? rows.length - 1 : -1);
}

/* The tile above or below: the nearest one of the next line, also across clusters. */
function vertical(step) {
  const here = tiles[current].getBoundingClientRect();
  const line = [];
  for (let number = current + step, seen = 0; number >= 0 && number < rows.length && seen < 120; number += step) {
    if (!visible(number)) continue;
    seen += 1;
    const box = tiles[number].getBoundingClientRect();
    if (step > 0 ? box.top < here.bottom - 4 : box.bottom > here.top + 4) continue;
    if (line.length && Math.abs(box.top - line[0].top) > here.height / 2) break;
    line.push({ number, top: box.top, away: Math.abs(box.left - here.left) });
  }
  line.sort((a, b) => a.away - b.away);
  if (line.length) goTo(line[0].number);
}

function along(step) {
  const next = find(current + step, step, visible);
  if (next >= 0) goTo(next);
}

/* What is shown --------------------------------------------------------------------------------------------------- */

function refresh(numbers) {
  for (const number of numbers) paint(number);
  for (const number of new Set(numbers.map((member) => rows[member].cluster))) count(clusters[number]);
  showKept();
}

function showAll() {
  refresh(rows.map((_, number) => number));
  showCurrent();
  figures();
}

function paint(number) {
  const [row, tile] = [rows[number], tiles[number]];
  const record = answers.get(row.image_id);
  shown[number] = record?.action ? 1 : 0;
  if (shown[number]) tile.dataset.action = record.action;
  else delete tile.dataset.action;
  tile.querySelector(".said").textContent = shown[number] ? inShort(row, record) : "";
  tile.setAttribute("aria-label", spoken(row, record));
}

function spoken(row, record) {
  const parts = [row.given_label ? `given ${row.given_label}` : "no label"];
  if (row.suggested_label) parts.push(`suggested ${row.suggested_label}${row.suggested_prob ? ` ${percent(row.suggested_prob)}` : ""}`);
  if (row.odd) parts.push("look twice");
  if (clusters[row.cluster].kind === "duplicates") parts.push(row.caption);
  if (!row.asked) parts.push("to compare");
  parts.push(row.asked || record?.action ? inWords(record) : "no answer wanted");
  if (record?.note) parts.push(`note: ${record.note}`);
  return [...parts, row.image_id].join(", ");
}

function count(cluster) {
  cluster.done = cluster.rows.filter((member) => answered(member) && rows[member].asked).length;
  cluster.left = cluster.rows.filter(pending).length;
  Object.assign(cluster.section.dataset, { done: cluster.done, left: cluster.left });
  const tally = cluster.done ? (cluster.left ? `· ${cluster.done} answered` : "· ✓ all answered") : "";
  cluster.section.querySelector(".tally").textContent = tally;
}

function showCurrent() {
  const row = rows[current];
  const record = row && answers.get(row.image_id);
  const picture = row && tiles[current].querySelector("img");
  $("large").hidden = !picture;
  if (picture) {
    $("large").src = picture.src;
    $("large").className = picture.className;
    $("large").alt = `${row.given_label || "no label"}, ${row.image_id}`;
  }
  $("large-missing").hidden = !row || Boolean(picture);
  $("large-missing").textContent = row && !picture ? tiles[current].querySelector(".missing").textContent : "";
  $("large-odd").hidden = !row?.odd;
  $("given").textContent = !row ? "" : row.given_label || "no label";
  const other = row && row.suggested_label && row.suggested_label !== row.given_label;
  $("arrow").hidden = !other;
  $("suggested").textContent = other ? `${row.suggested_label} ` : "";
  if (other && row.suggested_prob) $("suggested").append(Object.assign(document.createElement("small"), { textContent: percent(row.suggested_prob) }));
  $("state").className = `state ${record?.action ?? ""}`;
  $("state").textContent = !row ? "" : record?.action ? inShort(row, record) : row.asked ? "undecided" : "to compare: no answer wanted";
  $("because").textContent = row?.because.replaceAll(";", ", ") || "–";
  $("detail").textContent = row?.detail || "–";
  $("split").textContent = row ? [row.split, row.size].filter(Boolean).join(" · ") : "";
  $("image").textContent = row?.image_id ?? "";
  const answerable = takes(current);
  const what = answerable && proposed(row);
  $("accept-word").textContent = !what ? "Accept" : what.action === "drop" ? "Accept: drop" : `Accept: ${what.label}`;
  const able = { accept: what, keep: answerable, drop: answerable, relabel: answerable, note: answerable };
  able.only = row && clusters[row.cluster].kind === "duplicates";
  for (const button of document.querySelectorAll(".answers button")) {
    if (button.dataset.do in able) button.setAttribute("aria-disabled", String(!able[button.dataset.do]));
  }
  noteOf = answerable ? current : -1;
  $("note").disabled = noteOf < 0;
  $("note").value = record?.note ?? "";
  document.querySelector(".note-field").classList.toggle("open", Boolean(record?.note));
}

function figures() {
  let [done, gained] = [0, 0];
  for (let number = 0; number < rows.length; number += 1) {
    if (!shown[number] || !rows[number].asked) continue;
    done += 1;
    gained += rows[number].gain;
  }
  $("progress").value = done;
  $("done").textContent = done.toLocaleString("en");
  $("gained").textContent = gained.toFixed(1);
  const pace = paced.answers >= FEW && paced.seconds > 0 ? (60 * paced.answers) / paced.seconds : null;
  $("pace").textContent = pace === null ? "–" : pace.toFixed(pace < 10 ? 1 : 0);
  const next = ahead((number) => true);
  const mean = (list) => list.reduce((sum, number) => sum + rows[number].gain, 0) / list.length;
  $("coming").textContent = pace === null || !next.length ? "–" : (pace * mean(next)).toFixed(1);
  const labels = ahead((number) => clusters[rows[number].cluster].kind === "labels");
  const among = current >= 0 && clusters[rows[current].cluster].kind === "labels";
  const little = !hintRead && among && labels.length > 0 && mean(labels) < LEAST;
  if (little !== !$("hint").hidden) {
    $("hint").hidden = !little;
    $("hint-words").textContent = little ? hint(labels.length) : "";
  }
}

let hintRead = false;

function hint(count) {
  const which = count === NEXT ? `The next ${NEXT} labels` : `The last ${several(count, "label", "labels")}`;
  return `${which} are worth less than ${several(Math.ceil(LEAST * count), "right label", "right labels")}: the rest is hardly worth the look.`;
}

/* The next undecided ones from here on. */
function ahead(fits) {
  const found = [];
  const from = Math.max(current, 0);
  for (let step = 0; step < rows.length && found.length < NEXT; step += 1) {
    const number = (from + step) % rows.length;
    if (pending(number) && fits(number)) found.push(number);
  }
  return found;
}

function measure(count) {
  const at = performance.now();
  paced.seconds += Math.min((at - paced.last) / 1000, PAUSE);
  paced.answers += count;
  paced.last = at;
}

/* The same words twice are read twice: a live region is silent where nothing changes. */
function say(text) {
  $("said").textContent = $("said").textContent === text ? `${text}\u00a0` : text;
}

/* What lies over the images hides none that is scrolled to. */
function clear() {
  const [meter, notices, dock] = ["meter", "notices", "dock"].map((name) => document.querySelector(`.${name}`).offsetHeight);
  const style = document.documentElement.style;
  style.setProperty("--hold", `${meter}px`);
  style.setProperty("--dock", `${dock}px`);
  style.scrollPaddingTop = `${meter + notices + 12}px`;
  style.scrollPaddingBottom = `${wide.matches ? 16 : dock + 12}px`;
  tiles[current]?.scrollIntoView({ block: "nearest" });
}

/* Before a section is drawn the page holds room for it, so that the scrollbar tells the truth. */
function reserve() {
  const room = $("clusters").clientWidth;
  for (const { style, rows: members, section } of clusters) {
    const side = style === "together" ? 162 : wide.matches ? 122 : 91;
    const columns = Math.max(1, Math.min(Math.floor(room / side), style === "alike" ? Infinity : members.length));
    const height = 50 + Math.ceil(members.length / columns) * (side + 42);
    section.style.containIntrinsicSize = `auto ${columns * side + 20}px auto ${height}px`;
  }
}

/* Notes ----------------------------------------------------------------------------------------------------------- */

let noteOf = -1;

function takeNote(started) {
  if (noteOf < 0) return;
  const [number, text] = [noteOf, $("note").value.trim()];
  const old = answers.get(rows[number].image_id)?.note ?? "";
  if (text === old) return;
  take([[number, { note: text }]], started);
  if (number === current) showCurrent();
  say(text ? "note taken" : "note removed");
}

function startNote() {
  if (noteOf < 0) return say("shown to compare: no note is wanted");
  document.querySelector(".note-field").classList.add("open");
  $("note").focus({ preventScroll: true });
}

function onNoteKey(event) {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  if (event.key === "Escape") $("note").value = answers.get(rows[noteOf]?.image_id)?.note ?? "";
  takeNote(event.timeStamp);
  document.querySelector(".note-field").classList.toggle("open", Boolean($("note").value));
  tiles[current]?.focus({ preventScroll: true });
}

/* Relabel to ------------------------------------------------------------------------------------------------------ */

function startRelabel() {
  if (current < 0) return;
  if (!takes(current)) return say("shown to compare: no answer is wanted");
  $("wanted").value = "";
  $("labels").showModal();
  $("wanted").focus();
  offer();
}

/* Names that begin with what was typed, then those with a word that does, then those that hold it. */
function matching(typed) {
  const row = rows[current];
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [...new Set([row.suggested_label, ...classes])].filter((name) => name && name !== row.given_label);
  const rank = (name) => {
    const at = name.toLowerCase().indexOf(wanted);
    return at < 1 ? at : /[^\p{L}\p{N}]/u.test(name[at - 1]) ? 1 : 2;
  };
  return classes.filter((name) => rank(name) >= 0).sort((a, b) => rank(a) - rank(b));
}

function offer() {
  const found = matching($("wanted").value);
  const row = rows[current];
  const items = found.slice(0, SHOWN).map((name, at) => {
    const item = Object.assign(document.createElement("li"), { id: `choice${at}`, textContent: name });
    item.setAttribute("role", "option");
    const remark = name === row.given_label ? "as given" : name === row.suggested_label ? "suggested" : "";
    if (remark) item.append(Object.assign(document.createElement("small"), { textContent: remark }));
    item.dataset.label = name;
    return item;
  });
  $("choices").replaceChildren(...items);
  $("matching").textContent = !found.length ? "no class is called so" : found.length > SHOWN ? `${found.length} classes: type to narrow them down` : several(found.length, "class", "classes");
  choose(0);
}

function choose(at) {
  const items = [...$("choices").children];
  items.forEach((item, place) => item.setAttribute("aria-selected", String(place === at)));
  if (items[at]) $("wanted").setAttribute("aria-activedescendant", items[at].id);
  else $("wanted").removeAttribute("aria-activedescendant");
  items[at]?.scrollIntoView({ block: "nearest" });
}

function onWantedKey(event) {
  const items = [...$("choices").children];
  const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (items.length) choose((at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length);
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    if (items[at]) relabel(items[at].dataset.label, event.timeStamp);
  }
}

function relabel(label, started) {
  $("labels").close();
  const same = label === rows[current].given_label;
  decide(current, same ? { action: "keep", label: "" } : { action: "relabel", label }, started);
}

/* The file -------------------------------------------------------------------------------------------------------- */

const COLUMNS = ["image_id", "action", "label", "by", "because", "note", "at"];
/* As curate/csv_text.py writes a cell: an apostrophe before what a spreadsheet would compute. */
const formula = /^'*[-=+@\t\r\uff1d\uff0b\uff0d\uff20]/;
const number = /^[-+]([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/;
const harmless = (text) => (formula.test(text) && !number.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const cell = (text) => quoted(harmless(text));

/* As curate/decisions.py has it. */
function faultOfName(name) {
  if (name.toLowerCase() === "policy") return "that is the policy's own name, give yours";
  return name.includes(";") ? "a name has no semicolons" : "";
}

function save() {
  takeNote();
  const by = $("by").value.trim();
  const missing = !by ? "write your name first: decisions say who took them" : faultOfName(by);
  document.querySelector(".reviewer").classList.toggle("wanted", Boolean(missing));
  if (missing) {
    say(missing);
    $("by").focus();
    return;
  }
  const here = rows.map((row) => answers.get(row.image_id)).filter((record) => record?.action || record?.note);
  const earlier = [...answers.values()].filter((record) => (record.action || record.note) && !numberOf.has(record.image_id) && record.number > state.saved);
  if (!here.length && !earlier.length) return say("nothing is answered yet");
  const all = [...here, ...earlier];
  const notes = all.filter((record) => !record.action).length;
  const lines = all.map((record) => COLUMNS.map((name) => cell(name === "by" ? by : record[name])).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${[COLUMNS.join(","), ...lines].join("\n")}\n`], { type: "text/csv;charset=utf-8" }));
  link.download = "answers.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  state.saved = state.number;
  keep([], { also: { name: by } });
  showKept();
  const old = earlier.length ? `, ${earlier.length} of them about images of an earlier sheet` : "";
  const alone = notes ? ` and ${several(notes, "note", "notes")} without an answer (not taken over)` : "";
  $("saved-what").textContent = `answers.csv with ${several(lines.length - notes, "answer", "answers")}${alone} was saved${old}.`;
  $("saved").hidden = false;
  say($("saved-what").textContent);
}

/* Keys and buttons ------------------------------------------------------------------------------------------------ */

const DO = {
  accept: (started) => decide(current, current < 0 ? null : ANSWERS.accept(rows[current]), started),
  keep: (started) => decide(current, ANSWERS.keep(), started),
  drop: (started) => decide(current, ANSWERS.drop(), started),
  relabel: () => startRelabel(),
  only: (started) => keepOnly(started),
  note: () => startNote(),
  undo: (started) => undo(started),
  save: () => save(),
  help: () => $("help").showModal(),
  close: () => $("help").close(),
  dismiss: () => ($("saved").hidden = true),
  understood: () => ($("hint").hidden = hintRead = true),
  next: () => toCluster(1),
  previous: () => toCluster(-1),
};
const LETTERS = { a: "accept", n: "keep", d: "drop", r: "relabel", k: "only", o: "note", u: "undo", s: "save", j: "next" };
const SHIFTED = { a: "accept", n: "keep", d: "drop" };
const MOVES = {
  ArrowLeft: () => along(-1),
  ArrowRight: () => along(1),
  ArrowUp: () => vertical(-1),
  ArrowDown: () => vertical(1),
  Home: () => goTo(clusters[rows[current].cluster].rows.find(visible)),
  End: () => goTo(clusters[rows[current].cluster].rows.findLast(visible)),
};

/* Every key press comes through here. Letters are taken from their place where the layout is not Latin. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.id === "note") return onNoteKey(event);
  if (event.target.id === "wanted") return onWantedKey(event);
  if (event.target.matches?.("input[type=text]") || document.querySelector("dialog[open]")) return;
  const onControl = event.target.closest?.("button, input, code");
  if (event.key in MOVES || event.key === "Enter") {
    if (onControl || event.shiftKey || current < 0) return;
    event.preventDefault();
    follow = true;
    if (event.key === "Enter") startNote();
    else MOVES[event.key]();
    return;
  }
  if (!$("keys").checked) return;
  if (event.key === "?") return DO.help();
  const latin = /^[a-z]$/i.test(event.key);
  const letter = (latin ? event.key : event.code.startsWith("Key") ? event.code[3] : "").toLowerCase();
  if (!LETTERS[letter]) return;
  event.preventDefault();
  if (event.repeat && letter !== "j") return; // a key held down is no answer
  follow = true;
  if (!event.shiftKey) DO[LETTERS[letter]](event.timeStamp);
  else if (letter === "j") DO.previous();
  else if (SHIFTED[letter] && current >= 0) decideWhole(SHIFTED[letter], rows[current].cluster, event.timeStamp);
}

function onClick(event) {
  const tile = event.target.closest(".shot");
  const choice = event.target.closest("#choices li");
  const button = event.target.closest("button[data-do]");
  if (tile) {
    follow = true;
    goTo(Number(tile.dataset.row));
  } else if (choice) {
    relabel(choice.dataset.label, event.timeStamp);
  } else if (button && button.getAttribute("aria-disabled") !== "true") {
    follow = false;
    if (button.dataset.whole) decideWhole(button.dataset.do, Number(button.dataset.whole), event.timeStamp);
    else DO[button.dataset.do](event.timeStamp);
  } else if (event.target.matches('input[name="show"]') && event.detail > 0) {
    tiles[current]?.focus({ preventScroll: true }); // by mouse: the arrows belong to the images again
  }
}

function onShow(event) {
  $("clusters").dataset.show = event.target.value;
  follow = false;
  goTo(current < 0 ? 0 : current);
}

async function start() {
  try {
    await Promise.race([openStore(), new Promise((_, reject) => setTimeout(reject, 4000, new Error("its store does not open")))]);
  } catch (error) {
    lose(error?.message || "its store does not open");
  }
  reserve();
  refresh(rows.map((_, number) => number));
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  document.addEventListener("change", (event) => event.target.name === "show" && onShow(event));
  $("note").addEventListener("change", () => takeNote());
  $("wanted").addEventListener("input", offer);
  $("by").addEventListener("change", () => keep([], { also: { name: $("by").value.trim() } }));
  $("by").addEventListener("input", () => document.querySelector(".reviewer").classList.remove("wanted"));
  $("labels").addEventListener("close", () => tiles[current]?.focus({ preventScroll: true }));
  $("help").addEventListener("close", () => tiles[current]?.focus({ preventScroll: true }));
  wide.addEventListener("change", reserve);
  const watching = new ResizeObserver(clear);
  for (const name of ["meter", "notices", "dock"]) watching.observe(document.querySelector(`.${name}`));
  clear();
  window.addEventListener("focus", catchUp);
  window.addEventListener("beforeunload", (event) => {
    if (state.number > state.saved && [...answers.values()].some((record) => record.number > state.saved)) event.preventDefault();
  });
  const back = shown.reduce((sum, one) => sum + one, 0);
  if (back) say(`${several(back, "answer", "answers")} of before came back`);
  goTo(Math.max(find(0, 1, pending), 0));
  showKept();
  document.documentElement.dataset.ready = "";
}

start();
