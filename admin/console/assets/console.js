// Keeps the page that is open up to date. Without it everything works, by reloading.
"use strict";
(() => {
  const main = document.getElementById("main");
  let waiting = false, running = false;

  // Somebody who types, has chosen something or holds a menu open is not disturbed.
  const busy = () => {
    const at = document.activeElement;
    if (at && main.contains(at) && at.matches("input, textarea, select")) return true;
    if (main.matches("[data-still]") || main.querySelector("dialog[open], [data-still]")) return true;
    for (const e of main.querySelectorAll("input, textarea, select")) {
      if (e.type === "checkbox" || e.type === "radio") { if (e.checked !== e.defaultChecked) return true; }
      else if (e.tagName === "SELECT") { if ([...e.options].some(o => o.selected !== o.defaultSelected && [...e.options].some(p => p.defaultSelected))) return true; }
      else if (e.type !== "hidden" && e.value !== e.defaultValue) return true;
    }
    const s = window.getSelection();
    return !!s && !s.isCollapsed && main.contains(s.anchorNode);
  };

  const refresh = async () => {
    if (running) { waiting = true; return; }
    if (document.hidden || busy()) { waiting = true; return; }
    running = true; waiting = false;
    try {
      const r = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual" });
      if (r.ok) {
        const next = new DOMParser().parseFromString(await r.text(), "text/html").getElementById("main");
        if (next && !busy()) {
          swap(next);
          main.dataset.seq = next.dataset.seq;
        } else waiting = true;
      }
    } catch (e) { /* the hub is away for a moment; the stream says when it is back */ }
    running = false;
  };

  // swap puts new content in place and keeps what was open, and where the keyboard was.
  const swap = (next) => {
    for (const n of next.querySelectorAll('input[name="key"]')) n.value = "";
    for (const n of main.querySelectorAll('input[name="key"]')) n.dataset.key = n.value;
    const old = main.cloneNode(true);
    for (const n of old.querySelectorAll('input[name="key"]')) n.removeAttribute("value"), n.removeAttribute("data-key");
    const fresh = next.cloneNode(true);
    for (const n of fresh.querySelectorAll('input[name="key"]')) n.removeAttribute("value");
    for (const d of [old, fresh]) for (const e of d.querySelectorAll("details")) e.removeAttribute("open");
    for (const e of old.querySelectorAll(".said, .fault[role=alert]")) e.remove();
    if (old.innerHTML.trim() === fresh.innerHTML.trim()) return;
    const open = new Set([...main.querySelectorAll("details[open]")].map(d => d.dataset.id || d.querySelector("summary")?.textContent));
    const path = where(document.activeElement);
    const keys = [...main.querySelectorAll('input[name="key"]')].map(n => n.dataset.key || n.value);
    main.replaceChildren(...next.childNodes);
    [...main.querySelectorAll('input[name="key"]')].forEach(n => { n.value = crypto.randomUUID(); });
    for (const d of main.querySelectorAll("details")) if (open.has(d.dataset.id || d.querySelector("summary")?.textContent)) d.open = true;
    if (path) main.querySelector(path)?.focus({ preventScroll: true });
    ready();
  };

  const where = (e) => {
    if (!e || !main.contains(e) || e === main) return "";
    if (e.id) return "#" + CSS.escape(e.id);
    const href = e.getAttribute("href");
    return href ? 'a[href="' + CSS.escape(href) + '"]' : "";
  };

  // ready prepares what a new page holds: boxes that choose all, forms that ask first.
  const ready = () => {
    for (const all of main.querySelectorAll("input[data-all]")) {
      all.hidden = false;
      all.onchange = () => { for (const b of main.querySelectorAll('input[name="' + all.dataset.all + '"]')) b.checked = all.checked; };
    }
    for (const f of main.querySelectorAll("form[data-sure]")) {
      f.onsubmit = () => window.confirm(f.dataset.sure);
    }
    for (const s of main.querySelectorAll("select[data-go]")) s.onchange = () => s.form.requestSubmit();
    for (const b of main.querySelectorAll("[data-print]")) { b.hidden = false; b.onclick = () => window.print(); }
    for (const b of main.querySelectorAll("[data-copy]")) {
      b.hidden = false;
      b.onclick = async () => { await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent.trim()); b.textContent = "Copied"; };
    }
  };

  // A form is sent once, however often the button is pressed.
  document.addEventListener("submit", (e) => {
    if (e.defaultPrevented) return;
    if (e.target.dataset.sent) { e.preventDefault(); return; }
    if ((e.target.method || "") === "post") { e.target.dataset.sent = "1"; setTimeout(() => { delete e.target.dataset.sent; }, 5000); }
  });

  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches("input, textarea, select")) {
      const find = document.getElementById("find");
      if (find) { e.preventDefault(); find.focus(); }
    }
    // j and k walk through what can be decided, as in a mail program.
    if ((e.key === "j" || e.key === "k") && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches("input, textarea, select")) {
      const items = [...main.querySelectorAll("[data-item]")];
      if (items.length === 0) return;
      const at = items.indexOf(document.activeElement.closest?.("[data-item]"));
      const to = items[Math.max(0, Math.min(items.length - 1, at + (e.key === "j" ? 1 : -1)))];
      e.preventDefault();
      to.focus();
      to.scrollIntoView({ block: "nearest" });
    }
  });

  document.addEventListener("visibilitychange", () => { if (waiting) refresh(); });
  main.addEventListener("focusout", () => { if (waiting) setTimeout(refresh, 300); });

  ready();
  // Who was led to one of many things goes on there with the keyboard.
  const led = document.getElementById(location.hash.slice(1));
  if (led?.matches("[data-item]")) led.focus();
  if (window.EventSource && document.querySelector(".side")) {
    const source = new EventSource("/live");
    let timer = 0;
    source.addEventListener("changed", (e) => {
      if (e.data === main.dataset.seq) return;
      clearTimeout(timer);
      timer = setTimeout(refresh, 300 + Math.random() * 700);
    });
    document.documentElement.dataset.live = "on";
    window.addEventListener("pagehide", () => source.close());
  }
})();
