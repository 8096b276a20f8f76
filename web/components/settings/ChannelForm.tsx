import { useState } from "preact/hooks";
import { CHANNEL_KINDS, NOTIFICATION_EVENTS } from "../../../domain/notification.ts";
import { useApp } from "../../app_context.ts";
import { en } from "../../i18n/en.ts";
import { locale, t } from "../../i18n/locale.ts";
import type { MessageKey } from "../../i18n/locale.ts";
import { newSecret } from "../../text/new_secret.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, SelectField, TextField } from "../Field.tsx";

/** What most want to hear of. */
const USUAL = ["deployment.awaiting_approval", "approval.waiting", "deployment.paused_on_failure", "deployment.failed"];

export function eventText(event: string): string {
  const key = `notify.event.${event}`;
  return key in en ? t(key as MessageKey) : event;
}
const listOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);
const labelsOf = (text: string) =>
  Object.fromEntries(
    listOf(text).map((pair) => {
      const [key = "", ...value] = pair.split("=");
      return [key, value.join("=")];
    }),
  );

export function ChannelForm({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { api, toasts } = useApp();
  const [name, setName] = useState("");
  const [kind, setKind] = useState<string>("slack");
  const [url, setUrl] = useState("");
  const [secret, setSecret] = useState("");
  const [signing, setSigning] = useState(newSecret);
  const [mail, setMail] = useState({ host: "", port: "587", security: "starttls", username: "", from: "", to: "" });
  const [language, setLanguage] = useState<string>(locale.value);
  const [person, setPerson] = useState("");
  const [events, setEvents] = useState<string[]>(USUAL);
  const [environments, setEnvironments] = useState("");
  const [labels, setLabels] = useState("");
  const isMail = kind === "email";
  const change = (key: keyof typeof mail) => (value: string) => setMail({ ...mail, [key]: value });
  const target = () => {
    if (isMail) {
      const { host, port, security, username, from, to } = mail;
      const login = username && secret ? { username, password: secret } : {};
      return { kind, host, port: Number(port), security, from, to: listOf(to), ...login };
    }
    if (kind === "webhook") return { kind, url, secret: signing };
    return kind === "lark" || kind === "dingtalk" ? { kind, url, ...(secret && { secret }) } : { kind, url };
  };
  return (
    <Dialog title={t("notify.add")} onClose={onClose}>
      <DialogForm
        submit={t("notify.add")}
        isReady={name !== "" && events.length > 0 &&
          (isMail ? mail.host !== "" && mail.from !== "" && mail.to !== "" : url !== "")}
        onClose={onClose}
        act={async () => {
          await api.send("POST", "/notifications", {
            name,
            target: target(),
            language,
            username: person || null,
            rules: [{
              events: events.length === NOTIFICATION_EVENTS.length ? [] : events,
              ...(environments && { environments: listOf(environments) }),
              ...(labels && { labels: labelsOf(labels) }),
            }],
          });
          onDone();
          onClose();
          toasts.done(t("toast.created", { what: name }));
        }}
      >
        <div class="field-row">
          <TextField label={t("column.name")} value={name} onValue={setName} required placeholder="ops" />
          <SelectField
            label={t("notify.kind")}
            value={kind}
            onValue={setKind}
            options={CHANNEL_KINDS.map((value) => ({ value, text: t(`notify.kind.${value}`) }))}
          />
        </div>
        {isMail
          ? (
            <>
              <div class="field-row">
                <TextField label={t("notify.mail.host")} value={mail.host} onValue={change("host")} required mono />
                <TextField label={t("notify.mail.port")} value={mail.port} onValue={change("port")} type="number" />
                <SelectField
                  label={t("notify.mail.security")}
                  value={mail.security}
                  onValue={change("security")}
                  options={["starttls", "tls", "none"].map((value) => ({ value, text: value }))}
                />
              </div>
              <div class="field-row">
                <TextField label={t("login.username")} value={mail.username} onValue={change("username")} />
                <TextField label={t("login.password")} value={secret} onValue={setSecret} type="password" />
              </div>
              <TextField label={t("notify.mail.from")} value={mail.from} onValue={change("from")} required mono />
              <TextField label={t("notify.mail.to")} value={mail.to} onValue={change("to")} required mono />
            </>
          )
          : (
            <TextField
              label={t("notify.url")}
              value={url}
              onValue={setUrl}
              hint={t("notify.url.hint")}
              required
              veiled
              mono
            />
          )}
        {kind === "webhook" && (
          <TextField
            label={t("notify.secret")}
            value={signing}
            onValue={setSigning}
            hint={t("notify.secret.hint")}
            minLength={16}
            mono
          />
        )}
        {(kind === "lark" || kind === "dingtalk") && (
          <TextField label={t("notify.secret.robot")} value={secret} onValue={setSecret} type="password" />
        )}
        <fieldset class="field">
          <legend>{t("notify.of")}</legend>
          <div class="checks">
            {NOTIFICATION_EVENTS.map((event) => (
              <CheckField
                key={event}
                checked={events.includes(event)}
                onChecked={(on) => setEvents(on ? [...events, event] : events.filter((one) => one !== event))}
              >
                {eventText(event)}
              </CheckField>
            ))}
          </div>
        </fieldset>
        <div class="field-row">
          <TextField
            label={t("notify.environments")}
            value={environments}
            onValue={setEnvironments}
            hint={t("notify.environments.hint")}
            mono
          />
          <TextField label={t("notify.labels")} value={labels} onValue={setLabels} hint={t("labels.hint")} mono />
        </div>
        <div class="field-row">
          <SelectField
            label={t("settings.language")}
            value={language}
            onValue={setLanguage}
            options={[{ value: "en", text: "English" }, { value: "zh", text: "中文" }]}
          />
          <TextField label={t("notify.person")} value={person} onValue={setPerson} hint={t("notify.person.hint")} />
        </div>
      </DialogForm>
    </Dialog>
  );
}
