{
  const form = document.getElementById("try"), answer = document.getElementById("answer");
  const of = (name) => document.getElementById(name);
  const classes = JSON.parse(form.dataset.classes), most = 20;

  const element = (kind, text) => {
    const made = document.createElement(kind);
    made.textContent = text;
    return made;
  };
  const show = (...parts) => answer.replaceChildren(...parts);
  const number = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))) : JSON.stringify(value);

  // One output: a text, numbers of classes with their names, the largest first, or whatever it is.
  const output = (name, value) => {
    const term = element("dt", name), shown = document.createElement("dd");
    if (Array.isArray(value) && value.length === classes.length && typeof value[0] === "number") {
      const pairs = value.map((one, place) => [classes[place], one]).sort((a, b) => b[1] - a[1]);
      const body = document.createElement("tbody");
      for (const [label, one] of pairs.slice(0, most)) {
        const row = body.insertRow();
        row.append(element("th", label), element("td", number(one)));
        row.lastChild.className = "number";
      }
      const table = document.createElement("table");
      table.append(body);
      shown.append(table);
    } else {
      const text = typeof value === "string" ? value : Array.isArray(value) ? JSON.stringify(value) : number(value);
      shown.textContent = text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
    }
    return [term, shown];
  };

  const ask = async (instance) => {
    const began = performance.now();
    const response = await fetch(form.dataset.address, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({instances: [instance]}),
    });
    const content = await response.json();
    if (!response.ok) throw new Error(content.error || `the server answers ${response.status}`);
    const row = content.predictions[0];
    const isNamed = row !== null && typeof row === "object" && !Array.isArray(row);
    const list = document.createElement("dl");
    for (const [name, value] of Object.entries(isNamed ? row : {prediction: row})) list.append(...output(name, value));
    const notes = (content.warnings || []).map((text) => element("p", text));
    show(list, ...notes, element("p", `after ${Math.round(performance.now() - began)} ms`));
  };

  const base64 = (file) => new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });

  const pad = of("pad");
  let drawn = false;
  if (pad) {
    const ink = pad.getContext("2d");
    const isDark = () => of("dark").checked;
    const clear = () => {
      ink.fillStyle = isDark() ? "#ffffff" : "#000000";
      ink.fillRect(0, 0, pad.width, pad.height);
      drawn = false;
    };
    const at = (event) => {
      const box = pad.getBoundingClientRect();
      return [(event.clientX - box.left) * pad.width / box.width, (event.clientY - box.top) * pad.height / box.height];
    };
    let last = null;
    const draw = (event) => {
      if (last === null) return;
      const next = at(event);
      ink.strokeStyle = isDark() ? "#000000" : of("colour") ? of("colour").value : "#ffffff";
      ink.lineWidth = pad.width / 11;
      ink.lineCap = ink.lineJoin = "round";
      ink.beginPath();
      ink.moveTo(...last);
      ink.lineTo(...next);
      ink.stroke();
      last = next;
      drawn = true;
    };
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      last = at(event);
      of("file").value = "";
      draw(event);
    });
    pad.addEventListener("pointermove", draw);
    pad.addEventListener("pointerup", () => { if (last !== null) { last = null; form.requestSubmit(); } });
    pad.addEventListener("pointercancel", () => { last = null; });
    of("clear").addEventListener("click", clear);
    of("dark").addEventListener("change", clear);
    of("file").addEventListener("change", () => form.requestSubmit());
    clear();
  }

  // What was drawn, in the size of the model's images: halved until it is near, so that no pixel is left out.
  const small = () => {
    let from = pad;
    const width = Number(pad.dataset.width), height = Number(pad.dataset.height);
    for (;;) {
      const next = document.createElement("canvas");
      next.width = Math.max(width, Math.ceil(from.width / 2));
      next.height = Math.max(height, Math.ceil(from.height / 2));
      next.getContext("2d").drawImage(from, 0, 0, next.width, next.height);
      if (next.width === width && next.height === height) return next;
      from = next;
    }
  };

  const instances = {
    image: async () => {
      const file = of("file").files[0];
      if (!file && !drawn) throw new Error("Choose a file, or draw something.");
      return {b64: file ? await base64(file) : small().toDataURL("image/png").split(",")[1]};
    },
    columns: () => Object.fromEntries([...form.querySelectorAll("[data-column]")]
      .map((one) => [one.dataset.column, one.value === "" ? null : one.value])),
    text: () => of("text").value,
    json: () => JSON.parse(of("text").value),
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask(await instances[form.dataset.form]());
    } catch (error) {
      const line = element("p", error.message);
      line.className = "failed";
      show(line);
    }
  });
}
