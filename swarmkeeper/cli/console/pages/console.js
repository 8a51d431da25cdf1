// The console's page. It draws what /api/fleet tells, again and again, and keeps the keyboard's place while it does.

const SHOWN_ROWS = 200; // more containers than that are found with the filter
const SHOWN_BOXES = 64; // of one node
const JOINING = new Set(["launching", "certifying", "joining", "joined"]);

const page = {
  fleet: null, // the last answer
  paused: false,
  failed: "", // why the last look failed
  seen: [], // since when nodes stood as they did when the page was opened, and what has changed then; the newest first
  open: null, // what the panel shows: {kind, id}
};

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text becomes text, never markup. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Words and figures.
function age(since, now) {
  const s = Math.max(0, Math.round(now - since));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = (at) => new Date(at * 1000).toLocaleString();
const cpus = (amount) => `${Math.round(amount.cpus * 100) / 100} CPU`;

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (count >= 1024 && step < units.length - 1) { count /= 1024; step += 1; }
  return `${Math.round(count * 10) / 10} ${units[step]}`;
}

/** An image as people speak of it: without its registry, and with the beginning of its digest. */
function shortImage(reference) {
  const [name, digest] = reference.split("/").at(-1).split("@");
  return digest ? `${name} ${digest.slice(0, 15)}…` : name;
}

const share = (part, whole) => (whole > 0 ? part / whole : 0);
const percent = (value) => `${Math.round(value * 100)} %`;
const nodeClass = (state) => (JOINING.has(state) ? "joining" : state);
const looks = (container) => (container.moving_to ? "moving" : container.state);

// Reading.
async function ask(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail || `the console answered ${answer.status}`);
  return told;
}

async function look() {
  try {
    const next = await ask("/api/fleet");
    if (page.fleet) note(page.fleet, next);
    else page.seen = next.nodes.map((node) => ({ ...standing(node), at: node.state_since }));
    page.fleet = next;
    page.failed = "";
  } catch (error) {
    page.failed = error.message;
  }
  draw();
}

/** How a node stands, as an event. */
const standing = (node) => ({
  bad: node.state === "lost",
  node: node.id,
  text: `is ${node.state}${node.reason ? `: ${node.reason}` : ""}`,
});

/** Remember how two looks at the fleet differ. */
function note(before, after) {
  const found = [];
  const old = new Map(before.nodes.map((node) => [node.id, node]));
  for (const node of after.nodes) {
    const known = old.get(node.id);
    old.delete(node.id);
    if (known?.state !== node.state) found.push(standing(node));
  }
  for (const id of old.keys()) found.push({ node: id, text: "has left" });
  const held = new Map(before.containers.map((each) => [each.name, each]));
  for (const each of after.containers) {
    const known = held.get(each.name);
    held.delete(each.name);
    if (known?.state === each.state && known.node === each.node) continue;
    if (known && known.node && each.node && known.node !== each.node) found.push({ container: each.name, text: "has moved to", to: each.node });
    else if (each.state === "pending") found.push({ bad: true, container: each.name, text: `waits: ${each.reason}` });
    else found.push({ container: each.name, text: each.node ? `is ${each.state} on` : `is ${each.state}`, to: each.node });
  }
  for (const name of held.keys()) found.push({ container: name, text: "was removed" });
  page.seen = [...found.map((each) => ({ ...each, at: after.at })), ...page.seen].slice(0, 200);
}

// Filtering.
function matches(...texts) {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = texts.filter(Boolean).join(" ").toLowerCase();
  return words.every((word) => all.includes(word));
}

const fits = (container) =>
  matches(container.name, container.tenant, container.node, container.image, container.state, ...Object.entries(container.labels).flat());

// Drawing.
function draw() {
  drawStatus();
  if (!page.fleet) return;
  const place = document.activeElement?.dataset?.key;
  drawFigures();
  drawPools();
  drawPending();
  drawEvents();
  drawContainers();
  if (place) document.querySelector(`[data-key="${CSS.escape(place)}"]`)?.focus({ preventScroll: true });
}

function drawStatus() {
  const status = byId("status");
  status.className = page.failed ? "bad" : "";
  const at = page.fleet ? clock(page.fleet.at) : "";
  const text = page.failed ? `${page.failed}${at ? ` (shown: ${at})` : ""}` : page.paused ? `paused, as of ${at}` : `as of ${at}`;
  if (status.textContent !== text) status.textContent = text;
  document.title = page.fleet ? `${waiting().length ? `(${waiting().length}) ` : ""}Swarmkeeper` : "Swarmkeeper";
}

const waiting = () => page.fleet.containers.filter((each) => each.state === "pending");

function drawFigures() {
  const workers = page.fleet.nodes.filter((node) => node.role === "worker");
  const ready = workers.filter((node) => node.state === "ready");
  const sum = (nodes, of) => nodes.reduce((total, node) => total + of(node), 0);
  const reserved = Math.max(
    share(sum(ready, (node) => node.reserved.cpus), sum(ready, (node) => node.capacity.cpus)),
    share(sum(ready, (node) => node.reserved.memory_bytes), sum(ready, (node) => node.capacity.memory_bytes)),
    ready.every((node) => node.slots !== null) ? share(sum(ready, (node) => node.containers), sum(ready, (node) => node.slots)) : 0,
  );
  const running = page.fleet.containers.filter((each) => each.state === "running").length;
  const others = workers.length - ready.length;
  const figures = [
    ["running", running], ["waiting", waiting().length, waiting().length > 0], ["nodes ready", ready.length],
    ["coming or going", others, others > 0], ["reserved", percent(reserved)],
  ];
  byId("figures").replaceChildren(
    ...figures.map(([name, value, alert]) => el("div", { class: alert ? "alert" : null }, el("dt", {}, name), el("dd", {}, String(value)))),
  );
}

function drawPools() {
  const on = new Map();
  for (const each of page.fleet.containers) {
    for (const id of new Set([each.node, each.moving_to])) if (id) on.set(id, [...(on.get(id) ?? []), each]);
  }
  const pools = new Map();
  for (const node of page.fleet.nodes) {
    const held = on.get(node.id) ?? [];
    if (matches(node.id, node.pool, node.state, node.address, ...Object.entries(node.labels).flat()) || held.some(fits)) {
      pools.set(node.pool, [...(pools.get(node.pool) ?? []), [node, held]]);
    }
  }
  const names = [...pools.keys()].sort();
  byId("pools").replaceChildren(
    ...(names.length ? names.map((name) => drawPool(name, pools.get(name))) : [el("p", { class: "empty" }, "No node.")]),
  );
}

function drawPool(name, found) {
  const nodes = found.sort(([a], [b]) => a.id.localeCompare(b.id));
  return el("div", {}, el("h3", {}, `${name} (${nodes.length})`), el("ul", { class: "nodes" }, ...nodes.map(([node, held]) => el("li", {}, drawNode(node, held)))));
}

function drawNode(node, held) {
  const made = el(
    "button",
    { type: "button", class: `node ${nodeClass(node.state)}`, "data-key": `node ${node.id}`, "aria-haspopup": "dialog", onclick: () => open("node", node.id) },
    el("b", {}, node.id),
    el("span", { class: "state" }, `${node.state} for ${age(node.state_since, page.fleet.at)}${node.protected ? ", protected" : ""}`),
  );
  if (node.role === "worker") {
    const boxes = held.slice(0, SHOWN_BOXES).map((each) => el("i", { class: `box ${looks(each)}`, title: `${each.name}: ${each.state}` }));
    const free = Math.min(SHOWN_BOXES - boxes.length, Math.max(0, (node.slots ?? 0) - node.containers));
    for (let slot = 0; slot < free; slot += 1) boxes.push(el("i", { class: "box free" }));
    const more = held.length > SHOWN_BOXES ? el("span", { class: "shown" }, `+${held.length - SHOWN_BOXES}`) : null;
    made.append(
      el("span", { class: "held", role: "img", "aria-label": `${held.length} containers${node.slots === null ? "" : `, ${Math.max(0, node.slots - node.containers)} free slots`}` }, ...boxes, more),
      bar("CPU", share(node.reserved.cpus, node.capacity.cpus)),
      bar("memory", share(node.reserved.memory_bytes, node.capacity.memory_bytes)),
    );
  }
  return made;
}

function bar(name, value) {
  const drawn = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawn.append(svg("rect", { x: 0, y: 0, width: Math.min(100, value * 100), height: 1 }));
  return el("span", { class: `bar${value > 0.9 ? " high" : ""}` }, el("span", {}, name), drawn, el("span", {}, percent(value)));
}

const table = (heads, rows) =>
  el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell)))))));

const link = (kind, id, where, text = id) =>
  el("button", { type: "button", class: "link", "data-key": `${where} ${kind} ${id}`, "aria-haspopup": "dialog", onclick: () => open(kind, id) }, text);

function drawPending() {
  const found = waiting().filter(fits).sort((a, b) => a.requested_at - b.requested_at);
  const rows = found.slice(0, SHOWN_ROWS).map((each) => [link("container", each.name, "pending"), age(each.requested_at, page.fleet.at), each.reason]);
  byId("pending").replaceChildren(
    found.length ? table(["name", "for", "why"], rows) : el("p", { class: "empty" }, "Nothing waits."),
    ...shownOf(rows, found),
  );
}

function drawContainers() {
  const found = page.fleet.containers.filter(fits).sort((a, b) => a.name.localeCompare(b.name));
  const rows = found.slice(0, SHOWN_ROWS).map((each) => [
    link("container", each.name, "list"),
    el("span", {}, el("i", { class: `box ${looks(each)}`, "aria-hidden": "true" }), each.moving_to ? "moving" : each.state),
    each.tenant,
    each.node ? link("node", each.node, `list ${each.name}`) : "",
    el("span", { title: each.image }, shortImage(each.image)),
    `${cpus(each.reservation)}, ${bytes(each.reservation.memory_bytes)}`,
  ]);
  byId("list").replaceChildren(
    found.length ? table(["name", "state", "tenant", "node", "image", "reserved"], rows) : el("p", { class: "empty" }, "No container."),
    ...shownOf(rows, found),
  );
}

const shownOf = (rows, found) =>
  rows.length < found.length ? [el("p", { class: "shown" }, `${rows.length} of ${found.length}; find the others by name, tenant, node or image`)] : [];

function drawEvents() {
  const decided = page.fleet.decisions.map((each) => ({ at: each.at, decision: each }));
  const all = [...decided, ...page.seen].filter(isFound).sort((a, b) => b.at - a.at).slice(0, SHOWN_ROWS);
  byId("events").replaceChildren(...(all.length ? all.map(drawEvent) : [el("li", { class: "empty" }, "Nothing yet.")]));
}

function isFound(event) {
  const { decision } = event;
  return decision ? matches(decision.pool, decision.trigger, decision.reason) : matches(event.node, event.container, event.text, event.to);
}

function drawEvent({ at, decision, node, container, text, to, bad }) {
  const when = el("time", { datetime: new Date(at * 1000).toISOString(), title: day(at) }, clock(at));
  if (decision) {
    const asked = decision.trigger ? ` (${decision.trigger})` : "";
    const told = `${decision.pool}: ${decision.direction === "none" ? "stays at" : "to"} ${decision.desired}${asked}`;
    return el("li", { class: decision.direction }, when, link("decision", decision.id, "event", told), el("br"), decision.reason, decision.dry_run ? " (decided only)" : null);
  }
  const kind = node ? "node" : "container";
  return el("li", { class: bad ? "bad" : null }, when, link(kind, node ?? container, `event ${at}`), ` ${text} `, to ? link("node", to, `event ${at} ${container}`) : null);
}

// The panel.
function open(kind, id) {
  page.open = { kind, id };
  byId("panel-title").textContent = kind === "decision" ? "A scaling decision" : id;
  const panel = byId("panel");
  byId("panel-body").replaceChildren(el("p", { class: "empty" }, "…"));
  if (!panel.open) panel.showModal();
  ({ node: showNode, container: showContainer, decision: showDecision })[kind](id);
}

const facts = (...pairs) => el("dl", {}, ...pairs.filter(([, value]) => value !== "" && value !== null).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
const labels = (found) => Object.entries(found).map(([key, value]) => `${key}=${value}`).sort().join("  ");
const put = (...children) => byId("panel-body").replaceChildren(...children);

function showNode(id) {
  const node = page.fleet.nodes.find((each) => each.id === id);
  if (!node) return put(el("p", {}, "This node has left."));
  const held = page.fleet.containers.filter((each) => each.node === id || each.moving_to === id);
  const rows = held.map((each) => [link("container", each.name, "panel"), looks(each), each.movable ? "may be moved" : "stays"]);
  put(
    facts(["state", `${node.state} since ${day(node.state_since)}`], ["why", node.reason], ["pool", node.pool], ["role", node.role], ["address", node.address],
      ["reserved", `${cpus(node.reserved)} of ${cpus(node.capacity)}, ${bytes(node.reserved.memory_bytes)} of ${bytes(node.capacity.memory_bytes)}`],
      ["containers", node.slots === null ? String(node.containers) : `${node.containers} of ${node.slots}`], ["engine's health", `${node.health} of 100`],
      ["scale-in", node.protected ? "leaves it alone" : "may take it"], ["labels", labels(node.labels)]),
    node.role === "worker" ? acts(node) : "",
    el("h3", {}, "What it holds"),
    rows.length ? table(["name", "state", ""], rows) : el("p", { class: "empty" }, "Nothing."),
  );
}

function acts(node) {
  const told = el("p", { role: "alert" });
  const act = (method, what, sure) => async () => {
    if (sure && !window.confirm(sure)) return;
    try {
      await ask(`/api/nodes/${encodeURIComponent(node.id)}/${what}`, { method, headers: { "Swarmkeeper-Console": "1" } });
      await look();
      if (page.open?.id === node.id) showNode(node.id);
    } catch (error) {
      told.className = "error";
      told.textContent = error.message;
    }
  };
  const button = (text, risky, act_) => el("button", { type: "button", class: risky ? "risky" : null, onclick: act_ }, text);
  const drains = node.state === "draining"
    ? button("Let it serve on", false, act("DELETE", "drain"))
    : button("Drain", true, act("PUT", "drain", `Drain ${node.id}? What it holds is moved or waited for; then the node leaves.`));
  const protection = node.protected ? button("Let scale-in take it", false, act("DELETE", "protection")) : button("Protect from scale-in", false, act("PUT", "protection"));
  return el("div", {}, el("div", { class: "acts" }, node.state === "ready" || node.state === "draining" ? drains : null, protection), told);
}

async function showContainer(name) {
  const found = page.fleet.containers.find((each) => each.name === name);
  if (!found) return put(el("p", {}, "This container was removed."));
  const why = el("div", {}, el("p", { class: "empty" }, "Asking …"));
  put(
    facts(["state", looks(found)], ["why it waits", found.reason], ["node", found.node ?? ""], ["moving to", found.moving_to ?? ""], ["image", found.image], ["tenant", found.tenant],
      ["reserved", `${cpus(found.reservation)}, ${bytes(found.reservation.memory_bytes)}`], ["asked for", day(found.requested_at)],
      ["first ran", found.started_at ? day(found.started_at) : ""], ["when its node goes", found.movable ? "it is moved" : "it is waited for"], ["labels", labels(found.labels)]),
    el("h3", {}, found.node ? "Why here: where it would go if it were placed now" : "Why it waits"),
    why,
  );
  try {
    const told = await ask(`/api/containers/${encodeURIComponent(name)}/why`);
    if (page.open?.id === name) why.replaceChildren(...explained(told, found));
  } catch (error) {
    why.replaceChildren(el("p", { class: "error" }, error.message));
  }
}

function explained(told, container) {
  const best = told.candidates.slice(0, 10).map((each, place) => [String(place + 1), link("node", each.node, "why"), String(each.weight), each.node === container.node ? "it is here" : ""]);
  const refused = Object.entries(told.refused).map(([node, why]) => [link("node", node, "why"), why.detail || why.reason]);
  const dropped = told.soft_dropped ? el("p", { class: "note" }, "Its soft expressions can't be met, and don't count.") : null;
  return [
    el("p", {}, told.text),
    ...[dropped].filter(Boolean),
    ...(best.length ? [el("h3", {}, `Nodes that can take it, by ${told.strategy}`), table(["", "node", "weight", ""], best), ...shownOf(best, told.candidates)] : []),
    ...(refused.length ? [el("h3", {}, "Nodes that can't"), table(["node", "why"], refused.slice(0, SHOWN_ROWS)), ...shownOf(refused.slice(0, SHOWN_ROWS), refused)] : []),
  ];
}

async function showDecision(id) {
  try {
    const told = await ask(`/api/decisions/${encodeURIComponent(id)}`);
    if (page.open?.id !== id) return;
    const inputs = Object.entries(told.inputs).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]);
    put(
      facts(["pool", told.pool], ["when", day(told.at)], ["asked by", told.trigger], ["size", `${told.desired} (wished: ${told.wish})`], ["held by", told.guards.join(", ")],
        ["why", told.reason], ["nodes that go", told.victims.join(", ")], ["taken back", told.reclaimed.join(", ")],
        ["looks again", told.recheck_at ? day(told.recheck_at) : ""], ["done", told.dry_run ? "no: decided only" : "yes"]),
      el("h3", {}, "Made from"),
      table(["", ""], inputs),
    );
  } catch (error) {
    put(el("p", { class: "error" }, error.message));
  }
}

// Living.
function pause() {
  page.paused = !page.paused;
  byId("pause").setAttribute("aria-pressed", String(page.paused));
  if (page.paused) drawStatus();
  else look();
}

async function live() {
  for (;;) {
    if (!page.paused && !document.hidden) await look();
    await new Promise((done) => setTimeout(done, 1000 * (page.fleet?.every_s ?? 5)));
  }
}

byId("filter").addEventListener("input", draw);
byId("pause").addEventListener("click", pause);
byId("panel").addEventListener("close", () => { page.open = null; });
byId("panel").addEventListener("click", (event) => { if (event.target === byId("panel")) byId("panel").close(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && !page.paused) look(); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("panel").open || event.target.matches("input")) {
    if (event.key === "Escape" && event.target === byId("filter")) { byId("filter").value = ""; byId("filter").blur(); draw(); }
    return;
  }
  if (event.key === "/") { event.preventDefault(); byId("filter").focus(); }
  if (event.key === "p") pause();
});
live();
