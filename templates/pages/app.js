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

// A choice of what a list shows takes effect immediately.
for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
}

// Shows someone else's decision while the answer is still being written, which stays as it is.
for (const news of document.querySelectorAll("[data-news]")) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(news.dataset.news, { headers: { accept: "application/json" }, redirect: "error" });
      if (!answer.ok) return;
      const { text } = await answer.json();
      if (!text) return;
      news.querySelector("[data-text]").textContent = text;
      news.hidden = false;
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
