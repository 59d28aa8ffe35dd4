"use strict";
// Makes the pages more convenient; all of them work without it.

// Menus close on Escape and on a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A link to what is folded up opens it, and leads to its first field.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const folded = link && document.getElementById(link.hash.slice(1));
  if (folded?.localName !== "details") return;
  // The jump itself would take the focus away again.
  event.preventDefault();
  folded.open = true;
  folded.scrollIntoView();
  folded.querySelector("input, textarea, select")?.focus({ preventScroll: true });
});

// Time zones are offered by name.
for (const field of document.querySelectorAll("[data-zones]")) {
  if (!Intl.supportedValuesOf) break;
  const list = document.createElement("datalist");
  list.id = `${field.id}-names`;
  for (const name of Intl.supportedValuesOf("timeZone")) {
    list.append(Object.assign(document.createElement("option"), { value: name }));
  }
  field.after(list);
  field.setAttribute("list", list.id);
}

// A browser that saves PDFs instead of showing them would save one without being asked.
if (navigator.pdfViewerEnabled === false) {
  for (const frame of document.querySelectorAll("iframe.pdf")) frame.remove();
}

// What is to be taken elsewhere has a button that copies it.
for (const text of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent.trim());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  text.after(button);
}

// Times in the reader's own zone; a tooltip keeps them in UTC.
const local = (root) => {
  const style = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false };
  for (const time of root.querySelectorAll("time[data-local]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent;
    time.textContent = new Intl.DateTimeFormat("en-GB", style).format(moment);
  }
};
local(document);

// Selecting requests: how many, and all at once. The bar stays in sight while something is selected.
const selecting = () => {
  const form = document.querySelector("form[data-bulk]");
  if (!form) return;
  const bar = form.querySelector("[data-bulk-bar]");
  const boxes = [...form.querySelectorAll("input[name=request]")];
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all on this page");
  form.querySelector("thead .pick").append(all);
  const count = () => {
    const number = boxes.filter((box) => box.checked).length;
    all.checked = number === boxes.length;
    all.indeterminate = number > 0 && !all.checked;
    bar.hidden = number === 0;
    bar.classList.toggle("counted", number > 0);
    bar.querySelector("[data-count]").textContent = `${number} selected`;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  form.addEventListener("change", count);
  count();
};
selecting();

// New requests appear by themselves. What is selected and where one is stays; a page in the background asks nothing.
const page = (address) => new Promise((resolve, reject) => {
  const call = new XMLHttpRequest();
  call.open("GET", address);
  call.responseType = "document";
  call.onload = () => (call.status === 200 && call.response ? resolve(call.response) : reject(new Error("no page")));
  call.onerror = reject;
  call.send();
});
const refresh = async () => {
  const list = document.querySelector("[data-live]");
  if (!list || document.hidden) return;
  const answer = await fetch(list.dataset.live, { headers: { accept: "application/json" }, redirect: "error" });
  if (!answer.ok || (await answer.json()).text === list.dataset.mark) return;
  const fresh = await page(location.href);
  const picked = new Set([...list.querySelectorAll("input[name=request]:checked")].map((box) => box.value));
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  for (const id of ["views", "list"]) {
    const now = fresh.getElementById(id);
    if (now) document.getElementById(id).replaceWith(document.importNode(now, true));
  }
  const shown = document.getElementById("list");
  for (const box of shown.querySelectorAll("input[name=request]")) box.checked = picked.has(box.value);
  local(shown);
  selecting();
  if (focused) [...shown.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
};
for (const list of document.querySelectorAll("[data-live]")) {
  // Without a connection the page stays as it is.
  const look = () => refresh().catch(() => {});
  setInterval(look, Number(list.dataset.seconds) * 1000);
  document.addEventListener("visibilitychange", look);
}

// The menu of deployments says what waits in each, once it is opened.
for (const menu of document.querySelectorAll("details.deployments")) {
  menu.addEventListener("toggle", async () => {
    const overview = await page("/d").catch(() => null);
    for (const link of overview?.querySelectorAll(".choices a") ?? []) {
      const waits = link.querySelector(".waits");
      const here = [...menu.querySelectorAll("a")].find((one) => one.getAttribute("href") === link.getAttribute("href"));
      if (waits && here) here.append(document.importNode(waits, true));
    }
  }, { once: true });
}
// A bar leads to the requests that it counts; so do the links in the table beside it.
document.addEventListener("click", (event) => {
  const bar = event.target.closest("[data-href]");
  if (bar) location.assign(bar.dataset.href);
});

// Keys. None of them answers: a number only moves to the answer, which Enter then gives.
const step = (by) => {
  const links = [...document.querySelectorAll(".requests tbody .asked a")];
  const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
};
const keys = {
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest("tr")?.querySelector("input[name=request]")?.click(),
  "/": () => document.getElementById("q")?.focus(),
  c: () => document.getElementById("comment")?.focus(),
  n: () => document.querySelector("[data-next]")?.click(),
  u: () => document.querySelector("[data-up]")?.click(),
  "?": () => document.getElementById("keys")?.showModal(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const box = event.target.matches("input[type=checkbox], input[type=radio]");
  if (event.target.isContentEditable || (event.target.matches("input, textarea, select") && !box)) return;
  if (/^[1-9]$/.test(event.key)) {
    const options = document.querySelectorAll(".answer button[name=outcome], .answer button.choice");
    const option = options[Number(event.key) - 1];
    if (!option) return;
    option.focus();
    option.scrollIntoView({ block: "nearest" });
  } else if (Object.hasOwn(keys, event.key)) {
    keys[event.key]();
  } else {
    return;
  }
  event.preventDefault();
});

// The bar at the bottom goes where the answer's own buttons are in sight.
for (const bar of document.querySelectorAll(".to-answer")) {
  const sight = new IntersectionObserver((seen) => bar.classList.toggle("near", seen.at(-1).isIntersecting));
  const own = document.querySelector("#answer-form .options, #answer-form .choice");
  if (own) sight.observe(own);
}

// Takes the flow's answers to questions into an open page. What proves that the page showed them comes along.
const hear = async () => {
  const fresh = await page(location.href);
  for (const id of ["told", "talk", "told-again"]) {
    const [here, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!here || !now) continue;
    here.replaceChildren(...document.importNode(now, true).childNodes);
    local(here);
  }
  const [here, now] = [document, fresh].map((one) => one.querySelector("input[name=shown]"));
  if (here && now) here.value = now.value;
  return fresh.querySelector("[data-news]")?.dataset.remarks;
};

// Shows someone else's decision while the answer is still being written, which stays as it is.
for (const news of document.querySelectorAll("[data-news]")) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(news.dataset.news, { headers: { accept: "application/json" }, redirect: "error" });
      if (!answer.ok) return;
      const { text, remarks } = await answer.json();
      if (!text && String(remarks) !== news.dataset.remarks) {
        news.dataset.remarks = (await hear()) ?? remarks;
      }
      if (!text) return;
      news.querySelector("[data-text]").textContent = text;
      news.hidden = false;
      for (const bar of document.querySelectorAll(".to-answer")) {
        bar.textContent = text;
        bar.classList.add("over");
      }
      clearInterval(timer);
    } catch {
      // Without a connection the page stays as it is.
    }
  };
  const timer = setInterval(look, Number(news.dataset.seconds) * 1000);
  document.addEventListener("visibilitychange", look);
}

// A form is sent once, however often its button is clicked.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
