// The page of pipelines/browse: which video and moment are shown, and what is near. Names reach the page as text only, never as HTML.
"use strict";

const get = (id) => document.getElementById(id);
const [player, still, stage, cover] = ["player", "still", "stage", "cover"].map(get);
let video = null; // as describe() of pipelines/browse has it
let time = 0; // nanoseconds
let stills = false; // the browser cannot play the file
let question = null; // the search that is on its way
let later = 0; // the timer of a still

const seconds = (ns) => (ns / 1e9).toFixed(2) + " s";
const note = (text) => { get("note").textContent = text; };

function place(element, box) {
  element.hidden = !box;
  if (!box)
    return;
  element.style.left = (100 * box[0]) / video.width + "%";
  element.style.top = (100 * box[1]) / video.height + "%";
  element.style.width = (100 * box[2]) / video.width + "%";
  element.style.height = (100 * box[3]) / video.height + "%";
}

function showTime() {
  get("cursor").style.left = Math.min(100, (100 * time) / video.duration) + "%";
  get("time").textContent = seconds(time) + " of " + seconds(video.duration);
}

function showStill() {
  clearTimeout(later);
  later = setTimeout(() => { still.src = "/still/" + video.id + "?time=" + Math.round(time); }, 100);
}

// Files that browsers do not play (AVI, most of Matroska, MPEG-4 Part 2, ...) are shown moment by moment.
function useStills(why) {
  stills = true;
  player.hidden = true;
  still.hidden = false;
  get("play").disabled = true;
  note(why);
  showStill();
}

function open(other) {
  if (video && video.id === other.id)
    return;
  video = other;
  stills = false;
  get("view").hidden = false;
  get("title").textContent = video.name;
  get("title").title = video.path;
  stage.style.aspectRatio = String(video.aspect);
  stage.style.width = "min(100%, " + 50 * video.aspect + "vh)";
  get("wide").src = "/timeline/" + video.id;
  player.pause();
  player.hidden = false;
  still.hidden = true;
  still.removeAttribute("src");
  get("play").disabled = false;
  note("");
  for (const row of document.querySelectorAll("li.video"))
    row.classList.toggle("current", JSON.parse(row.dataset.video).id === video.id);
  if (video.address) {
    useStills("This video is on another computer, and is not shown here.");
    return;
  }
  player.src = "/file/" + video.id;
  player.load();
}

function seek(ns) {
  time = Math.max(0, Math.min(ns, video.duration));
  showTime();
  if (stills)
    showStill();
  else if (player.readyState > 0)
    player.currentTime = time / 1e9;
}

function addAnswer(answer) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const picture = document.createElement("img");
  const text = document.createElement("span");

  button.type = "button";
  button.title = answer.video.path;
  picture.alt = "";
  picture.loading = "lazy";
  picture.addEventListener("error", () => { picture.style.visibility = "hidden"; });
  if (!answer.video.address)
    picture.src = "/still/" + answer.video.id + "?small=1&time=" + answer.time;
  text.textContent = answer.score.toFixed(3) + "  " + answer.video.name + ", " + seconds(answer.start) + " to " + seconds(answer.end);
  button.append(picture, text);
  button.addEventListener("click", () => {
    open(answer.video);
    place(get("box"), null);
    get("whole").hidden = true;
    seek(answer.time);
    place(get("mark"), answer.patch);
    window.scrollTo(0, 0);
  });
  item.append(button);
  get("near").append(item);
}

async function search(box) {
  const what = (box ? "the box in " : "") + video.name + " at ";
  const address = "/near/" + video.id + "?time=" + Math.round(time) + (box ? "&box=" + box.map((side) => side.toFixed(2)).join(",") : "");

  if (question)
    question.abort();
  const own = question = new AbortController();
  get("near").replaceChildren();
  get("asked").textContent = "Searching for " + what + seconds(time) + " ...";
  try {
    const answer = await fetch(address, { signal: own.signal });
    if (!answer.ok)
      throw new Error(await answer.text());
    const found = await answer.json();
    get("asked").textContent = "Near " + what + seconds(found.time) + ", among " + found.moments + " moments:";
    found.answers.forEach(addAnswer);
    if (found.answers.length === 0)
      get("asked").textContent = "Nothing else in the archive is near " + what + seconds(found.time) + ".";
  } catch (problem) {
    if (problem.name !== "AbortError")
      get("asked").textContent = "No search: " + problem.message;
  }
}

function go(ns) {
  place(get("box"), null);
  place(get("mark"), null);
  get("whole").hidden = true;
  seek(ns);
  search(null);
}

// Where on a timeline the pointer is, as a time.
function timeAt(event, duration) {
  const area = event.currentTarget.getBoundingClientRect();
  return ((event.clientX - area.left) / area.width) * duration;
}

for (const row of document.querySelectorAll("li.video")) {
  const own = JSON.parse(row.dataset.video);

  row.querySelector(".timeline").addEventListener("click", (event) => {
    const when = timeAt(event, own.duration);

    open(own);
    go(when);
  });
}
get("wide").addEventListener("click", (event) => go(timeAt(event, video.duration)));
get("whole").addEventListener("click", () => go(time));

get("play").addEventListener("click", () => {
  place(get("box"), null);
  place(get("mark"), null);
  get("whole").hidden = true;
  if (player.paused)
    player.play().catch((problem) => note(problem.message));
  else
    player.pause();
});
for (const name of ["play", "pause", "ended"])
  player.addEventListener(name, () => { get("play").textContent = player.paused ? "Play" : "Pause"; });
player.addEventListener("timeupdate", () => {
  if (!player.paused && !player.seeking) {
    time = player.currentTime * 1e9;
    showTime();
  }
});
player.addEventListener("loadedmetadata", () => {
  if (player.videoWidth === 0)
    useStills("This browser cannot play the file: its moments are shown as stills.");
  else
    player.currentTime = time / 1e9;
});
player.addEventListener("error", () => {
  if (video && !stills)
    useStills("This browser cannot play the file: its moments are shown as stills.");
});
still.addEventListener("error", async () => {
  const answer = await fetch(still.src);
  if (!answer.ok)
    note(await answer.text());
});

// A box is drawn from corner to corner; a click alone takes it away.
let from = null;

function corner(event) {
  const area = cover.getBoundingClientRect();
  const inside = (value) => Math.max(0, Math.min(1, value));
  return [inside((event.clientX - area.left) / area.width) * video.width, inside((event.clientY - area.top) / area.height) * video.height];
}

const between = (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];

cover.addEventListener("pointerdown", (event) => {
  player.pause();
  cover.setPointerCapture(event.pointerId);
  from = corner(event);
  place(get("mark"), null);
});
cover.addEventListener("pointermove", (event) => {
  if (from)
    place(get("box"), between(from, corner(event)));
});
cover.addEventListener("pointercancel", () => { from = null; });
cover.addEventListener("pointerup", (event) => {
  if (!from)
    return;
  const box = between(from, corner(event));
  from = null;
  const drawn = box[2] >= 2 && box[3] >= 2;
  place(get("box"), drawn ? box : null);
  get("whole").hidden = !drawn;
  if (drawn && !video.regions)
    get("asked").textContent = "This archive keeps no patches, which boxes are compared by.";
  else if (drawn)
    search(box);
});
