// Everything is rendered by the server; this only says when the live connection is lost, and keeps `12 s ago` honest then.
(function () {
  "use strict";
  var lost = document.querySelector(".trouble.lost");
  function say(isLost) {
    if (lost) { lost.hidden = !isLost; }
    document.documentElement.classList.toggle("stale", isLost);
  }
  // A page that is being left closes its connection, which is no loss.
  var leaving = false;
  window.addEventListener("pagehide", function () { leaving = true; });
  window.addEventListener("pageshow", function () { leaving = false; });
  document.addEventListener("htmx:sseOpen", function () { say(false); });
  document.addEventListener("htmx:sseError", function () { if (!leaving) { say(true); } });
})();
