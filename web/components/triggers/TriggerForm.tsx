/** Makes a trigger, or changes one that a person made. What the master refuses is said at the field it is about. */
import { useState } from "preact/hooks";
import type { Environment, Repository, Trigger } from "../../../protocol/http_api.ts";
import { ApiProblem } from "../../api/api_client.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createResource } from "../../models/create_resource.ts";
import { readAll } from "../../models/list_model.ts";
import { repositoryName } from "../../text/text_parts.ts";
import { Dialog, DialogForm } from "../Dialog.tsx";
import { CheckField, SelectField, TextField } from "../Field.tsx";
import { Loaded } from "../Page.tsx";
import { NextTicks } from "./NextTicks.tsx";
import { bodyOf, errorsByField, inputOf, KINDS, RULE_KEYS } from "./trigger_input.ts";
import type { TriggerInput } from "./trigger_input.ts";

interface Choices {
  environments: Environment[];
  repositories: Repository[];
}
interface FormInput {
  trigger?: Trigger;
  onClose: () => void;
  onDone: (trigger: Trigger) => void;
}

export function TriggerForm(props: FormInput) {
  const { api, feed } = useApp();
  const choices = useModel(() =>
    createResource<Choices>({
      feed,
      topics: [],
      async load() {
        const [environments, repositories] = await Promise.all([
          readAll<Environment>(api, "/environments"),
          readAll<Repository>(api, "/repositories"),
        ]);
        return { environments, repositories };
      },
    }), []);
  return (
    <Dialog title={t(props.trigger ? "trigger.edit" : "trigger.add")} onClose={props.onClose}>
      <Loaded resource={choices}>{(data) => <Fields {...props} {...data} />}</Loaded>
    </Dialog>
  );
}

function Fields({ trigger, environments, repositories, onClose, onDone }: FormInput & Choices) {
  const { api, toasts } = useApp();
  const [input, setInput] = useState<TriggerInput>(() => {
    const first = inputOf(trigger, Intl.DateTimeFormat().resolvedOptions().timeZone);
    // Of one whose environment is gone, a person has to choose another.
    return trigger ? first : { ...first, environmentId: environments[0]?.id ?? "" };
  });
  const [errors, setErrors] = useState<Record<string, string>>({});
  const field = <K extends keyof TriggerInput>(key: K) => ({
    value: input[key],
    onValue: (value: string) => {
      setErrors(({ [key]: _, ...others }) => others);
      setInput((before) => ({ ...before, [key]: value }));
    },
    error: errors[key],
  });
  const has = (key: (typeof RULE_KEYS)["cron"][number]) => RULE_KEYS[input.on].includes(key);
  const others = environments.filter((one) => one.id !== input.environmentId);
  const text = (key: "at" | "after" | "version" | "branch" | "match" | "name" | "tz") => ({
    ...field(key),
    label: t(`trigger.field.${key}`),
    mono: true,
  });
  return (
    <DialogForm
      submit={t(trigger ? "save" : "create")}
      isReady={input.name.trim() !== "" && input.environmentId !== ""}
      onClose={onClose}
      act={async () => {
        setErrors({});
        try {
          const body = bodyOf(input, !trigger);
          const done = await api.send<Trigger>(
            trigger ? "PATCH" : "POST",
            trigger ? `/triggers/${trigger.id}` : "/triggers",
            body,
          );
          toasts.done(t(trigger ? "toast.saved" : "toast.created", { what: done.name }));
          onDone(done);
          onClose();
        } catch (error: unknown) {
          if (error instanceof ApiProblem) setErrors(errorsByField(error.errors));
          throw error;
        }
      }}
    >
      {environments.length === 0 && <p class="problem">{t("trigger.no.environment")}</p>}
      <div class="field-row">
        <TextField {...text("name")} required placeholder="nightly" autoFocus />
        {trigger
          ? (
            <TextField
              label={t("trigger.fires.on")}
              value={t(`trigger.kind.${trigger.on}`)}
              onValue={() => {}}
              readOnly
            />
          )
          : (
            <SelectField
              label={t("trigger.fires.on")}
              {...field("on")}
              options={KINDS.map((kind) => ({ value: kind, text: t(`trigger.kind.${kind}`) }))}
            />
          )}
      </div>
      <div class="field-row">
        <SelectField
          label={t("column.environment")}
          {...field("environmentId")}
          options={environments.map(({ id, name }) => ({ value: id, text: name }))}
        />
        <SelectField
          label={t("trigger.start")}
          {...field("start")}
          options={(["auto", "approve", "manual"] as const).map((value) => ({
            value,
            text: t(`trigger.start.${value}`),
          }))}
        />
      </div>
      <SelectField
        label={t("column.repository")}
        {...field("repositoryId")}
        hint={t(input.on === "cron" ? "trigger.repository.cron" : "trigger.repository.hint")}
        options={[
          { value: "", text: t(input.on === "cron" ? "trigger.repository.choose" : "trigger.repository.any") },
          ...repositories.map(({ id, url }) => ({ value: id, text: repositoryName(url) })),
        ]}
      />
      {has("at") && (
        <>
          <div class="field-row">
            <TextField {...text("at")} required hint={t("trigger.field.at.hint")} />
            <TextField {...text("tz")} hint={t("trigger.field.tz.hint")} />
          </div>
          <NextTicks at={input.at} tz={input.tz} />
          <SelectField
            label={t("trigger.field.missed")}
            {...field("missed")}
            options={(["skip", "run_once"] as const).map((value) => ({
              value,
              text: t(`trigger.missed.${value}`),
            }))}
          />
        </>
      )}
      {has("of") && (
        <SelectField
          label={t("trigger.field.of")}
          {...field("of")}
          options={[
            { value: "", text: t("trigger.of.choose") },
            ...others.map(({ name }) => ({ value: name, text: name })),
          ]}
        />
      )}
      {(has("version") || has("after")) && (
        <div class="field-row">
          {has("version") && (
            <TextField {...text("version")} placeholder="latest" hint={t("trigger.field.version.hint")} />
          )}
          <TextField {...text("after")} placeholder="30m" hint={t("trigger.field.after.hint")} />
        </div>
      )}
      {input.on === "push" && <TextField {...text("branch")} hint={t("trigger.field.branch.hint")} />}
      {input.on === "tag" && <TextField {...text("match")} placeholder="v*" hint={t("trigger.field.match.hint")} />}
      <details open={input.paths !== "" || input.applications !== ""}>
        <summary>{t("trigger.filters")}</summary>
        <div class="form">
          {has("branch") && has("match") && (
            <div class="field-row">
              <TextField {...text("branch")} placeholder="main" />
              <TextField {...text("match")} placeholder="v*" />
            </div>
          )}
          <TextField
            label={t("trigger.field.paths")}
            {...field("paths")}
            hint={t("trigger.field.paths.hint")}
            placeholder="services/order/**"
            rows={2}
            mono
          />
          <TextField
            label={t("trigger.field.applications")}
            {...field("applications")}
            hint={t("trigger.field.applications.hint")}
            mono
          />
        </div>
      </details>
      <CheckField
        checked={input.enabled}
        onChecked={(enabled) => setInput((before) => ({ ...before, enabled }))}
      >
        {t("trigger.is.enabled")}
      </CheckField>
    </DialogForm>
  );
}
