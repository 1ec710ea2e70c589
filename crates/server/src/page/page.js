
// What belongs to no part of the page: the node, the theme, other tabs, and the commands to copy.

const $ = (id) => document.getElementById(id);

/** Has screen readers say something. What changes all the time is not announced. */
function announce(text) {
  setText($("announcements"), text);
}

/** Shows whether the node can do all that it is for. */
async function watchNode(orders) {
  const names = {
    ready: "Ready",
    degraded: "Degraded: the broker is away",
    starting: "Starting",
    "shutting-down": "Shutting down",
  };
  let awaySince = null;
  for (;;) {
    const asked = now();
    let status = "unreachable";
    try {
      // Without an end, a node that no longer answers would be shown as it was.
      const signal = AbortSignal.timeout(5000);
      const response = await fetch(address("readyz"), { cache: "no-store", signal });
      ({ status } = await response.json());
      if (awaySince) for (const { feed } of orders.panes) feed.reachable(awaySince);
      awaySince = null;
    } catch {
      awaySince ??= asked;
    }
    $("node").dataset.status = status;
    setText($("node-status"), names[status] ?? "Unreachable");
    setText($("epoch"), orders.cursor?.split("-")[0] ?? "–");
    await pause(2000);
  }
}

/** Lets the user choose between light and dark, and remembers it. */
function prepareTheme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const draw = () => setText($("theme"), `Switch to ${isDark() ? "light" : "dark"}`);
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  } catch {
    // This browser keeps nothing for pages.
  }
  system.addEventListener("change", draw);
  $("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    draw();
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // Then it counts for this visit alone.
    }
  });
  draw();
}

/**
 * Over HTTP/1.1, a browser has six connections to a host for all of its tabs, and the panes of one tab
 * take three of them. So only the tab that was used last has them.
 */
function shareConnections(orders) {
  const protocol = performance.getEntriesByType("navigation")[0]?.nextHopProtocol ?? "";
  if (protocol === "h2" || protocol === "h3") return;
  let tabs;
  try {
    tabs = new BroadcastChannel("sansocket-panes");
  } catch {
    // A browser that keeps nothing for pages has tabs that don't know of each other.
    return;
  }
  const resume = () => {
    tabs.postMessage("taken");
    $("paused").hidden = true;
    for (const { feed } of orders.panes) if (feed.state === "paused") feed.start();
  };
  tabs.onmessage = () => {
    for (const { feed } of orders.panes) feed.pause();
    $("paused").hidden = false;
  };
  $("resume").addEventListener("click", resume);
  tabs.postMessage("taken");
}

/** Writes the commands for this address and this order. */
function drawCommands(order) {
  const topic = `/topic/orders/${order}`;
  const base = new URL(".", location.href).href;
  const commands = {
    "command-events": `curl -N '${base}events?topic=${topic}&since=beginning'`,
    "command-publish": `curl -d '{"status":"shipped"}' '${base}publish?destination=${topic}'`,
    "command-poll": `curl '${base}poll?topic=${topic}&since=beginning&wait=0'`,
  };
  for (const [id, command] of Object.entries(commands)) setText($(id), command);
}

function prepareCopying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const command = $(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(command.textContent);
        announce("The command is copied.");
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 2000);
      } catch {
        // A page that came without TLS may not copy, so the user does.
        getSelection().selectAllChildren(command);
        announce("The command is selected. Copy it with the keyboard.");
      }
    });
  }
}

prepareTheme();
prepareCopying();
document.addEventListener("order", ({ detail }) => drawCommands(detail));
const orders = new Orders($("pane"), $("panes"));
const chat = new Chat();
shareConnections(orders);
watchNode(orders);
setInterval(() => orders.render(), 100);
