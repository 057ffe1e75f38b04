// The page: what is drawn, from which inputs, and what its controls do.

(function () {
  const byId = (id) => document.getElementById(id);
  const began = performance.now();
  const model = JSON.parse(byId("model").textContent);
  const network = loadProgram(model.program, bytesOf(byId("weights").textContent));
  const toLatent = model.latent && loadProgram(model.latent.program, bytesOf(model.latent.weights));
  byId("weights").textContent = "";
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  const [channels, height, width] = model.shape, pixels = height * width;
  const kinds = model.inputs.map((input) => input.kind);
  const noiseAt = kinds.indexOf("noise"), imageAt = kinds.indexOf("image");
  const count = imageAt < 0 ? model.count : noiseAt < 0 ? 1 : 16;
  const columns = Math.round(Math.sqrt(count)), rows = Math.ceil(count / columns);
  const gap = count > 1 ? Math.max(2, Math.round(width / 14)) : 0, across = width + gap, down = height + gap;
  const numbers = noiseAt < 0 ? 0 : model.inputs[noiseAt].shape[0];

  const grid = byId("grid"), chosen = byId("chosen");
  grid.width = columns * across + gap;
  grid.height = rows * down + gap;
  chosen.width = width;
  chosen.height = height;

  const state = {
    seed: 0, latents: new Float32Array(0), from: 0, to: Math.min(1, count - 1), way: 0, walking: false,
    along: model.directions.map(() => 0), component: -1,
    picks: model.inputs.map((input) => (input.kind === "number" ? (input.low + input.high) / 2 : -1)),
    image: null,
  };

  // What the network is given for image i.

  const latent = (i) => state.latents.subarray(i * numbers, (i + 1) * numbers);

  function moved(z) {
    const found = Float32Array.from(z);
    if (state.component >= 0) {
      held.forEach((k) => { found[k] = 0; });
      found[held[state.component]] = scaleOfComponents;
    }
    state.along.forEach((by, d) => {
      if (by) model.free.forEach((k, i) => { found[k] += by * model.directions[d][i]; });
    });
    return found;
  }

  function given(z, i) {
    return model.inputs.map((input, at) => {
      if (input.kind === "noise") return moved(z);
      if (input.kind === "image") return state.image;
      if (input.kind === "number") return [state.picks[at]];
      return [state.picks[at] < 0 ? i % Math.max(1, input.names.length) : state.picks[at]];
    });
  }

  const imageOf = (z, i) => rgbaOf(network.run(...given(z, i)), channels, pixels);

  // A mixture's components are coordinates of the noise that are all 0 but one.
  const held = [];
  let scaleOfComponents = 0;
  function findComponents() {
    for (let k = 0; toLatent && k < numbers; k++) if (!model.free.includes(k)) held.push(k);
    scaleOfComponents = Math.max(0, ...held.map((k) => Math.max(...state.latents.filter((_, i) => i % numbers === k))));
  }

  // Drawing: a frame's worth at a time, so that sliders stay smooth.

  let job = 0;
  function redraw() {
    const mine = ++job;
    let i = 0, spent = 0;
    showChosen();
    function some() {
      if (mine !== job) return;
      const start = performance.now();
      while (i < count && performance.now() - start < 20) {
        put(grid, imageOf(latent(i), i), width, height, (i % columns) * across + gap, Math.floor(i / columns) * down + gap);
        i++;
      }
      spent += performance.now() - start;
      if (i < count) requestAnimationFrame(some);
      else {
        const each = (spent / count).toFixed(spent / count < 10 ? 1 : 0);
        byId("status").textContent = count > 1 ? `${count} images, ${each} ms each.` : `Drawn in ${each} ms.`;
        document.documentElement.dataset.drawn = mine;
        document.documentElement.dataset.each = spent / count;
      }
    }
    some();
  }

  function reseed(seed) {
    state.seed = seed;
    if (noiseAt >= 0) state.latents = latentsOf(drawNoise(model.noise, seed, count), model.noise.size, toLatent);
    redraw();
  }

  // The chosen image, and the way from it to the other.

  const on = (a, b, t) => (t <= 0 ? a : t >= 1 ? b : between(a, b, t));
  const onTheWay = (t) => imageOf(on(latent(state.from), latent(state.to), t), t < 0.5 ? state.from : state.to);

  function showChosen() {
    if (numbers) put(chosen, onTheWay(state.way), width, height);
  }

  function frame(i, colour) {
    const ink = grid.getContext("2d"), x = (i % columns) * across, y = Math.floor(i / columns) * down;
    ink.clearRect(x, y, across + gap, gap);
    ink.clearRect(x, y + down, across + gap, gap);
    ink.clearRect(x, y, gap, down + gap);
    ink.clearRect(x + across, y, gap, down + gap);
    if (!colour) return;
    ink.fillStyle = colour;
    ink.fillRect(x, y, across + gap, gap);
    ink.fillRect(x, y + down, across + gap, gap);
    ink.fillRect(x, y, gap, down + gap);
    ink.fillRect(x + across, y, gap, down + gap);
  }

  let marked = [];
  function mark() {
    if (!numbers) return;
    marked.forEach((i) => frame(i, ""));
    marked = [state.to, state.from];
    frame(state.to, getComputedStyle(byId("second")).outlineColor);
    frame(state.from, getComputedStyle(byId("way")).accentColor);
    byId("from").value = state.from + 1;
    byId("to").value = state.to + 1;
    byId("pick-hint").textContent = hint();
  }

  function hint() {
    const names = classesOf(state.from);
    return `Image ${state.from + 1}${names ? ` (${names})` : ""}. Click an image to choose it; with Shift, the other one.`;
  }

  function classesOf(i) {
    return model.inputs.map((input, at) => {
      if (input.kind !== "class" && input.kind !== "choice") return "";
      return input.names[state.picks[at] < 0 ? i % Math.max(1, input.names.length) : state.picks[at]];
    }).filter(Boolean).join(", ");
  }

  function choose(i, other) {
    if (!(i >= 0 && i < count)) return;
    state[other ? "to" : "from"] = i;
    setWay(0);
    mark();
    showChosen();
  }

  function setWay(t) {
    state.way = t;
    byId("way").value = t;
    byId("way-out").textContent = t.toFixed(2);
  }

  // A walk: from the chosen image to the other, then on to whichever comes next.

  let since = 0;
  function stride(now) {
    if (!state.walking) return;
    if (!since) since = now - state.way * 2500;
    const t = (now - since) / 2500;
    if (t >= 1) {
      nextPair();
      since = now;
    } else setWay(t);
    showChosen();
    requestAnimationFrame(stride);
  }

  function nextPair() {
    state.from = state.to;
    state.to = (state.to + 1) % count;
    setWay(0);
    mark();
  }

  function walk() {
    if (still) {  // one step at each press
      nextPair();
      showChosen();
      return;
    }
    state.walking = !state.walking;
    since = 0;
    byId("walk").setAttribute("aria-pressed", String(state.walking));
    byId("walk").textContent = state.walking ? "Stop" : "Walk";
    if (state.walking) requestAnimationFrame(stride);
  }

  // Files.

  const named = (what, ending) => `${model.name}-${noiseAt < 0 ? "image" : state.seed}${what}.${ending}`;

  function saved(rgba, wide, high, name) {
    const canvas = element("canvas", { width: wide, height: high });
    put(canvas, rgba, wide, high);
    canvas.toBlob((blob) => download(blob, name));
  }

  function savePng() {
    if (numbers) marked.forEach((i) => frame(i, ""));
    grid.toBlob((blob) => download(blob, named("", "png")));
    mark();
  }

  function saveFilm() {
    const by = Math.max(1, Math.round(192 / Math.max(height, width))), frames = [];
    for (let i = 0; i < 32; i++) frames.push(enlarged(onTheWay(i < 16 ? i / 16 : (32 - i) / 16), width, height, by));
    const film = gifOf(frames, width * by, height * by, channels === 1, 7);
    download(new Blob([film], { type: "image/gif" }), named(`-${state.from + 1}-${state.to + 1}`, "gif"));
  }

  // Controls of what is not noise.

  function picks(input, at) {
    const box = element("div", { className: "row" });
    const several = count > 1 ? [["all", -1]] : [];
    state.picks[at] = several.length ? -1 : 0;
    [...several, ...input.names.map((name, i) => [name, i])].forEach(([name, i]) => {
      const radio = element("input", { type: "radio", name: `pick-${at}`, checked: i === state.picks[at] });
      radio.addEventListener("change", () => {
        state.picks[at] = i;
        mark();
        redraw();
      });
      box.append(element("label", { className: "pick" }, radio, element("span", { textContent: name })));
    });
    const title = input.kind === "class" ? "Draw" : input.name;
    return element("fieldset", { className: "card" }, element("legend", { textContent: title }), box);
  }

  function components() {
    const input = element("input", { type: "number", id: "component", min: 1, max: held.length, placeholder: "any" });
    input.addEventListener("input", () => {
      const k = Math.floor(+input.value);
      state.component = input.value !== "" && k >= 1 && k <= held.length ? k - 1 : -1;
      redraw();
    });
    const label = element("label", { htmlFor: "component", textContent: `Component, 1 to ${held.length}` });
    return element("div", { className: "row" }, label, input);
  }

  // The input image.

  const pad = imageAt < 0 ? null : inputPad(byId, model.inputs[imageAt].shape, (x) => {
    state.image = x;
    redraw();
  }, () => checkInputs(0)[imageAt]);

  // The images that travel in this file: drawn here, are they the same?

  const floats = (text) => new Float32Array(bytesOf(text).buffer);
  const checked = model.check.inputs && model.check.inputs.map(floats);
  const ofSeed0 = checked || noiseAt < 0 ? null
    : latentsOf(drawNoise(model.noise, 0, model.count), model.noise.size, toLatent);

  function checkInputs(i) {
    return model.inputs.map((input, at) => {
      if (checked) {
        const n = sizeOf(input.shape);
        return checked[at].slice(i * n, (i + 1) * n);
      }
      return at === noiseAt ? ofSeed0.subarray(i * numbers, (i + 1) * numbers) : [i % Math.max(1, input.names.length)];
    });
  }

  function check() {
    const wanted = bytesOf(model.check.images), size = channels * pixels;
    let most = 0;
    for (let i = 0; i < model.check.n; i++) {
      const x = network.run(...checkInputs(i));
      const bytes = Uint8ClampedArray.from(x, (v) => (v + 1) * 127.5);
      for (let k = 0; k < size; k++) most = Math.max(most, Math.abs(bytes[k] - wanted[i * size + k]));
    }
    return most;
  }

  function tellOf(most, ready) {
    const apart = most ? `at most ${most} of 255 levels apart` : "equal to the last bit";
    const line = `${model.check.n} images were drawn again and compared with the original's: ${apart}. Ready in ${ready} ms.`;
    byId("check").textContent = most > model.tolerance ? `${line} That is more than it should be: this browser computes otherwise.` : line;
    byId("check").classList.toggle("bad", most > model.tolerance);
  }

  // All together.

  function listen() {
    byId("seed").addEventListener("input", () => {
      const seed = Math.floor(+byId("seed").value);
      if (byId("seed").value !== "" && seed >= 0 && seed < 2 ** 32) reseed(seed);
      else byId("status").textContent = "A seed is a whole number from 0 to 4294967295.";
    });
    byId("another").addEventListener("click", () => {
      byId("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 100000;
      reseed(+byId("seed").value);
    });
    byId("reset").addEventListener("click", () => {
      state.along.fill(0);
      for (const slide of byId("sliders").querySelectorAll("input[type=range]")) {
        slide.value = 0;
        slide.nextSibling.textContent = "0.0";
      }
      redraw();
    });
    let other = false;
    const pickOther = (pressed) => {
      other = pressed;
      byId("second").setAttribute("aria-pressed", String(pressed));
    };
    byId("second").addEventListener("click", () => pickOther(!other));
    grid.addEventListener("click", (e) => {
      if (!numbers) return;
      const box = grid.getBoundingClientRect(), scale = grid.width / box.width;
      const column = Math.min(columns - 1, Math.floor((e.clientX - box.left) * scale / across));
      const row = Math.min(rows - 1, Math.floor((e.clientY - box.top) * scale / down));
      choose(row * columns + column, other || e.shiftKey);
      pickOther(false);
    });
    grid.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[e.key];
      if (!step || !numbers) return;
      e.preventDefault();
      choose((e.shiftKey ? state.to : state.from) + step, e.shiftKey);
    });
    byId("from").addEventListener("input", () => choose(byId("from").value - 1, false));
    byId("to").addEventListener("input", () => choose(byId("to").value - 1, true));
    byId("way").addEventListener("input", () => {
      setWay(+byId("way").value);
      showChosen();
    });
    byId("walk").addEventListener("click", walk);
    byId("save").addEventListener("click", savePng);
    byId("save-one").addEventListener("click", () => saved(onTheWay(state.way), width, height, named(`-${state.from + 1}`, "png")));
    byId("save-film").addEventListener("click", saveFilm);
  }

  function build() {
    model.inputs.forEach((input, at) => {
      if (input.kind === "class" || input.kind === "choice") byId("choices").append(picks(input, at));
      if (input.kind === "number") {
        const middle = state.picks[at], heard = (v) => { state.picks[at] = v; };
        const slide = slider(`number-${at}`, input.name, input.low, input.high, (input.high - input.low) / 100, middle, (v) => { heard(v); redraw(); });
        byId("choices").append(element("div", { className: "card" }, slide));
      }
    });
    model.facts.forEach(([name, fact]) => {
      byId("facts").append(element("dt", { textContent: name }), element("dd", { textContent: fact }));
    });
    byId("input-card").hidden = imageAt < 0;
    if (noiseAt >= 0) {
      for (const id of ["noise-card", "pick-card", "save-one", "save-film"]) byId(id).hidden = false;
      model.directions.forEach((_, d) => {
        const heard = (v) => { state.along[d] = v; };
        byId("sliders").append(slider(`direction-${d}`, `Direction ${d + 1}`, -4, 4, 0.1, 0, (v) => { heard(v); redraw(); }));
      });
      byId("reset").hidden = !model.directions.length;
      byId("from").max = byId("to").max = count;
      if (still) byId("walk").textContent = "Next";
    } else {
      grid.classList.add("single");
      grid.tabIndex = -1;
    }
  }

  build();
  const most = check(), ready = Math.round(performance.now() - began);
  tellOf(most, ready);
  listen();
  if (imageAt >= 0) state.image = checkInputs(0)[imageAt];
  reseed(0);
  if (noiseAt >= 0) {
    findComponents();
    if (held.length > 1) byId("sliders").append(components());
    mark();
  }
  if (pad) pad.show(checkInputs(0)[imageAt]);
  document.documentElement.dataset.ready = ready;
  document.documentElement.dataset.levels = most;
})();
