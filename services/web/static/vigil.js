// The live inbox. The server draws the list; the stream only rings, and the list is asked for again.
// So what is shown is always one snapshot of the store, and a ring that is lost costs nothing: the
// stream resumes after the position of that snapshot. Nothing here writes markup out of data.
"use strict";
(() => {
  const KINDS = ["opened", "updated", "acknowledged", "snoozed", "escalated", "reopened", "resolved", "superseded"];
  const REOPEN_MS = 2000, POLL_MS = 5000, CHECK_MS = 15000, SOON_MS = 120, RELATIVE_MS = 20000;
  const csrf = document.body.dataset.csrf;
  const byId = (id) => document.getElementById(id);
  const say = (id, text) => { const place = byId(id); if (place) { place.textContent = text; } };
  const clock = (date) => date.toLocaleTimeString([], { hour12: false });

  // --- asking -------------------------------------------------------------------------------
  let attended = true;
  for (const kind of ["pointerdown", "keydown", "scroll"]) {
    window.addEventListener(kind, () => { attended = true; }, { passive: true });
  }

  class SignedOut extends Error {}

  async function ask(path, options = {}) {
    const headers = { ...options.headers };
    if (attended || options.method) { headers["X-Vigil-CSRF"] = csrf; }
    attended = false;
    const answer = await fetch(path, { ...options, headers, redirect: "error", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) { throw new SignedOut(); }
    return answer;
  }

  function signedOut() {
    live?.end();
    const main = byId("content");
    const text = document.createElement("p");
    text.className = "alert alert-warning";
    text.setAttribute("role", "alert");
    const link = document.createElement("a");
    link.href = `/?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "Sign in again";
    text.append("Your session is over; what was shown here is no longer up to date. ", link);
    main.replaceChildren(text);
    document.title = "Signed out · Vigil";
  }

  // --- the list -----------------------------------------------------------------------------
  const cards = (root) => new Map([...root.querySelectorAll("[data-alert]")].map((card) => [card.dataset.alert, card]));

  function carryOver(before, after) {
    const open = [...before.querySelectorAll("details")].map((it) => it.open);
    const details = after.querySelectorAll("details");
    if (details.length === open.length) { details.forEach((it, at) => { it.open = open[at]; }); }
    for (const input of before.querySelectorAll("input[name=note]")) {
      const same = after.querySelector(`#${CSS.escape(input.id)}`);
      if (same) { same.value = input.value; }
    }
    const focused = before.contains(document.activeElement) ? document.activeElement : null;
    before.replaceWith(after);
    if (!focused) { return; }
    const same = focused.id ? byId(focused.id) : null;
    (same && after.contains(same) ? same : after).focus({ preventScroll: true });
  }

  async function cardOf(id) {
    const answer = await ask(`/alerts/${id}/card`);
    if (!answer.ok) { return null; }
    return parsed(await answer.text()).querySelector("[data-alert]");
  }

  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

  // What left the list stays where it was, as it is now, until the page is loaded again: nothing
  // vanishes under a hand that is about to press something.
  async function reconcile(fresh) {
    const list = byId("list"), shown = cards(list), wanted = cards(fresh);
    const news = [...wanted.values()].filter((card) => !shown.has(card.dataset.alert));
    for (const [id, card] of shown) {
      const now = wanted.get(id) ?? await cardOf(id);
      if (!now) { card.closest("li").remove(); }
      else if (now.dataset.version !== card.dataset.version) { carryOver(card, document.adoptNode(now)); }
    }
    let place = null;
    const rows = list.querySelector(".alerts");
    for (const [id, card] of wanted) {
      const there = rows.querySelector(`#${CSS.escape(id)}`)?.closest("li");
      if (there) { place = there; continue; }
      const row = document.createElement("li");
      row.append(document.adoptNode(card));
      card.classList.add("fresh");
      if (place) { place.after(row); } else { rows.prepend(row); }
      place = row;
    }
    for (const selector of [".counted", ".empty"]) {
      const old = list.querySelector(selector), now = fresh.querySelector(selector);
      if (old && now) { old.replaceWith(document.adoptNode(now)); }
      else if (old) { old.remove(); }
      else if (now && !rows.children.length) { rows.before(document.adoptNode(now)); }
    }
    list.dataset.total = fresh.dataset.total;
    list.dataset.position = fresh.dataset.position;
    const total = Number(fresh.dataset.total);
    document.title = total ? `(${total}) Vigil` : "Vigil";
    announce(news);
  }

  function announce(news) {
    const about = (card) => `${card.querySelector("h2").textContent}, ${card.querySelector(".subject").textContent.trim()}`;
    const critical = news.filter((card) => card.dataset.severity === "critical" && card.dataset.status === "open");
    if (critical.length) { say("shout", `New critical alert: ${critical.map(about).join("; ")}`); }
    const others = news.length - critical.length;
    if (others) { say("say", others === 1 ? "One new alert" : `${others} new alerts`); }
  }

  // --- the line -----------------------------------------------------------------------------
  class Live {
    constructor(inbox) {
      this.inbox = inbox;
      this.position = Number(byId("list").dataset.position);
      this.fresh = new Date();
      this.since = null;
      this.behind = 0;
      this.refreshing = null;
      this.open();
      this.timers = [setInterval(() => this.check(), CHECK_MS), setInterval(() => this.poll(), POLL_MS)];
    }

    end() {
      this.source?.close();
      this.timers.forEach(clearInterval);
      clearTimeout(this.reopening);
      this.ended = true;
    }

    open() {
      this.source?.close();
      if (this.ended) { return; }
      const source = this.source = new EventSource(`${this.inbox.dataset.stream}&last_event_id=${this.position}`);
      source.onopen = () => { if (source === this.source) { this.mended(); } };
      source.onerror = () => {
        if (source !== this.source) { return; }
        source.close();
        this.broken();
        clearTimeout(this.reopening);
        this.reopening = setTimeout(() => this.open(), REOPEN_MS);
      };
      for (const kind of KINDS) {
        source.addEventListener(`alert.${kind}`, (event) => {
          this.position = Math.max(this.position, Number(event.lastEventId) || 0);
          this.ring();
        });
      }
    }

    mended() {
      this.since = null;
      this.behind = 0;
      this.ring();
      this.tell();
    }

    broken() {
      this.since ??= new Date();
      this.tell();
    }

    tell() {
      const line = byId("line");
      if (!line) { return; }
      const [state, text] = this.words();
      if (line.dataset.state !== state || line.textContent !== text) {
        line.dataset.state = state;
        line.textContent = text;
      }
    }

    words() {
      if (!this.since) { return ["live", "Live"]; }
      if (this.fresh > this.since) { return ["broken", `Not live since ${clock(this.since)}; asked again at ${clock(this.fresh)}`]; }
      return ["lost", `No connection since ${clock(this.since)}: this list may be out of date`];
    }

    ring() {
      if (!this.rung) { this.rung = setTimeout(() => { this.rung = null; this.refresh(); }, SOON_MS); }
    }

    // One at a time; a ring during one makes another follow.
    async refresh() {
      if (this.refreshing) { this.again = true; return this.refreshing; }
      this.refreshing = this.redraw();
      await this.refreshing;
      this.refreshing = null;
      if (this.again) { this.again = false; this.ring(); }
    }

    async redraw() {
      try {
        const answer = await ask(this.inbox.dataset.list);
        if (!answer.ok) { throw new Error(String(answer.status)); }
        const fresh = parsed(await answer.text()).getElementById("list");
        await reconcile(fresh);
        this.position = Math.max(this.position, Number(fresh.dataset.position));
        this.fresh = new Date();
      } catch (error) {
        if (error instanceof SignedOut) { signedOut(); return; }
        this.broken();
      }
      this.tell();
    }

    poll() { if (this.since) { this.refresh(); } }

    // A line can be dead without anybody saying so: the store knows how far the log is.
    async check() {
      try {
        const answer = await ask("/session");
        if (!answer.ok) { throw new Error(String(answer.status)); }
        const { position } = await answer.json();
        this.behind = position > this.position ? this.behind + 1 : 0;
        if (this.behind) { this.ring(); }
        if (this.behind > 1 && !this.since) { this.broken(); this.open(); }
        else if (this.since && this.source.readyState === EventSource.OPEN) { this.mended(); }
      } catch (error) {
        if (error instanceof SignedOut) { signedOut(); return; }
        this.broken();
      }
    }
  }

  // --- acting in place ----------------------------------------------------------------------
  async function act(form) {
    // Not `disabled`, which would throw the focus away.
    const button = form.querySelector("button");
    if (button.ariaDisabled === "true") { return; }
    button.ariaDisabled = "true";
    form.parentElement.querySelector(".failed")?.remove();
    try {
      const note = form.elements.note.value.trim();
      const answer = await ask(form.dataset.api, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(note ? { note } : {}),
      });
      if (!answer.ok) { throw new Error((await answer.json()).detail); }
      form.elements.note.value = "";
      say("say", `${button.firstChild.textContent}: done`);
      if (live) { await live.refresh(); } else { location.reload(); }
    } catch (error) {
      if (error instanceof SignedOut) { signedOut(); return; }
      const text = document.createElement("p");
      text.className = "failed";
      text.setAttribute("role", "alert");
      text.textContent = "This was not saved; try again in a moment.";
      form.after(text);
    }
    button.ariaDisabled = "false";
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.api) { return; }
    event.preventDefault();
    act(event.target);
  });

  // --- how long ago -------------------------------------------------------------------------
  function length(seconds) {
    if (seconds < 3600) { return `${Math.floor(seconds / 60)} min`; }
    if (seconds < 172800) { return `${Math.floor(seconds / 3600)} h`; }
    return `${Math.floor(seconds / 86400)} days`;
  }

  function relative(moment) {
    const seconds = Math.floor((Date.now() - Date.parse(moment)) / 1000);
    if (seconds >= 0 && seconds < 60) { return "just now"; }
    return seconds < 0 ? `in ${length(-seconds)}` : `${length(seconds)} ago`;
  }
  setInterval(() => {
    for (const place of document.querySelectorAll("[data-ago]")) { place.textContent = `(${relative(place.dataset.ago)})`; }
  }, RELATIVE_MS);

  for (const select of document.querySelectorAll(".filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  const inbox = byId("inbox");
  const live = inbox ? new Live(inbox) : null;
})();
