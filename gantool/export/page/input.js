// The input image of a translator: drawn with the pointer, opened, dropped or pasted.

// byId finds the page's elements; `heard` is told of each new image, as numbers; `example` gives one.
function inputPad(byId, [channels, height, width], heard, example) {
  const sheet = byId("input"), status = byId("status");
  sheet.width = width;
  sheet.height = height;
  const ink = sheet.getContext("2d", { willReadFrequently: true });
  const tell = () => heard(numbersOf(ink.getImageData(0, 0, width, height).data, channels));

  // The middle of an image, in the sheet's proportions.
  async function open(blob) {
    if (!blob) return;
    try {
      const image = await createImageBitmap(blob), scale = Math.min(image.width / width, image.height / height);
      const w = width * scale, h = height * scale;
      ink.imageSmoothingQuality = "high";
      ink.clearRect(0, 0, width, height);
      ink.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
      tell();
    } catch {
      status.textContent = "That is no image this browser can read. Try a PNG or a JPEG.";
    }
  }

  function blank() {
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, width, height);
    tell();
  }

  function show(x) {
    put(sheet, rgbaOf(x, channels, height * width), width, height);
    heard(x);
  }

  let last = null;
  function place(e) {
    const box = sheet.getBoundingClientRect();
    return [(e.clientX - box.left) * width / box.width, (e.clientY - box.top) * height / box.height];
  }
  function stroke(e) {
    if (!last) return;
    const next = place(e);
    ink.strokeStyle = byId("brush").value;
    ink.lineWidth = Math.max(1.5, width / 12);
    ink.lineCap = "round";
    ink.beginPath();
    ink.moveTo(...last);
    ink.lineTo(...next);
    ink.stroke();
    last = next;
    tell();
  }
  sheet.addEventListener("pointerdown", (e) => {
    sheet.setPointerCapture(e.pointerId);
    last = place(e);
    stroke(e);
  });
  sheet.addEventListener("pointermove", stroke);
  for (const kind of ["pointerup", "pointercancel"]) sheet.addEventListener(kind, () => { last = null; });

  byId("file").addEventListener("change", () => open(byId("file").files[0]));
  byId("example").addEventListener("click", () => show(example()));
  byId("clear").addEventListener("click", blank);
  document.addEventListener("paste", (e) => open(e.clipboardData.files[0]));
  document.addEventListener("dragover", (e) => {
    e.preventDefault();
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
  document.addEventListener("drop", (e) => {
    e.preventDefault();
    byId("drop").classList.remove("over");
    open(e.dataTransfer.files[0]);
  });
  return { show };
}
