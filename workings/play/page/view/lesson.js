// Lessons: their list, and the card of the present step, which asks for a prediction before it shows what happens.
import { html } from "../vendor/lit-html.js";
import { partOf } from "../state.js";
import { lessons as words } from "../strings.js";

export function lessonsPanel(state, act) {
  if (!state.lessons) return html`<p class="quiet">…</p>`;
  return html`<ol class="lessons">${state.lessons.map((one) => html`<li><button @click=${() => act.beginLesson(one.name)}>
    <strong>${one.title}</strong><span class="quiet small">${one.about}</span></button></li>`)}</ol>`;
}

export function lessonCard(state, act) {
  const { lesson } = state;
  if (!lesson) return state.invite ? invitation(act) : "";
  const step = lesson.steps[lesson.at], isLast = lesson.at === lesson.steps.length - 1, isOpen = step.ask && lesson.answer === null;
  const side = partOf(step) === ".card.output" ? "left" : ""; // the card covers no part that the step is about
  return html`<aside class="coach ${side}" aria-labelledby="coach-title" tabindex="-1">
    <header class="row"><h2 id="coach-title">${lesson.title}</h2><span
      class="quiet small">${words.place(lesson.at + 1, lesson.steps.length)}</span>
      <button class="plain" @click=${() => act.endLesson()}>${words.end}</button></header>
    <p aria-live="polite">${step.text}</p>
    ${step.ask ? question(step.ask, lesson, act) : ""}
    ${lesson.busy ? html`<p class="quiet small">${words.training}</p>` : ""}
    <div class="row between"><button ?disabled=${lesson.at === 0} @click=${() => act.lessonStep(lesson.at - 1)}>${words.back}</button>
      <button class="main" ?disabled=${isOpen || lesson.busy}
        @click=${() => (isLast ? act.endLesson() : act.lessonStep(lesson.at + 1))}>${isLast ? words.done : words.next}</button></div>
  </aside>`;
}

const question = (ask, { answer, busy }, act) => html`<fieldset class="stack"><legend>${ask.question}</legend>
  <div class="row">${ask.answers.map((text, k) => html`<button aria-pressed=${answer === k}
    ?disabled=${answer !== null} @click=${() => act.answer(k)}>${text}</button>`)}</div>
  ${answer === null ? html`<p class="quiet small">${words.predict}</p>` : ""}
  ${answer === null || busy ? "" : html`<p role="status"><strong class=${answer === ask.right ? "agrees" : "differs"}>
    ${answer === ask.right ? words.right : words.wrong(ask.answers[ask.right])}</strong> ${ask.because}</p>`}
</fieldset>`;

const invitation = (act) => html`<aside class="coach" aria-label=${words.invitation}><p>${words.invite}</p>
  <div class="row between"><button @click=${() => act.decline()}>${words.decline}</button>
    <button class="main" @click=${() => act.beginLesson("00-tour")}>${words.accept}</button></div></aside>`;
