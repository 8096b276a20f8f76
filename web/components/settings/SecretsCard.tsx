/** Names and scopes of secrets; values go in and never come out. */
import { useState } from "preact/hooks";
import type { Application, Environment, Secret } from "../../../protocol/http_api.ts";
import { useApp, useModel } from "../../app_context.ts";
import { t } from "../../i18n/locale.ts";
import { createList, readAll } from "../../models/list_model.ts";
import { createResource } from "../../models/create_resource.ts";
import { Button } from "../Button.tsx";
import { ConfirmDialog, Dialog, DialogForm } from "../Dialog.tsx";
import { SelectField, TextField } from "../Field.tsx";
import { Card, Empty, Loaded } from "../Page.tsx";
import { Ago } from "../Times.tsx";

interface Places {
  environments: Environment[];
  applications: Application[];
}
const EVERY = "";

export function SecretsCard() {
  const { api, feed } = useApp();
  const [set, setSet] = useState<Partial<Secret>>();
  const [removed, setRemoved] = useState<Secret>();
  const secrets = useModel(() => createList<Secret>({ api, feed, path: "/secrets", topics: [] }), []);
  const places = useModel(() =>
    createResource<Places>({
      feed,
      topics: [],
      load: async () => ({
        environments: await readAll<Environment>(api, "/environments"),
        applications: await readAll<Application>(api, "/applications"),
      }),
    }), []);
  const known = places.data.value;
  const nameOf = (id: string | null) =>
    id === null
      ? t("secret.every")
      : [...known?.environments ?? [], ...known?.applications ?? []].find((one) => one.id === id)?.name ?? id;
  return (
    <Card
      title={t("secret.title")}
      flush
      actions={<Button small icon="plus" name="add-secret" onClick={() => setSet({})}>{t("secret.set")}</Button>}
    >
      <Loaded resource={secrets}>
        {({ items }) =>
          items.length === 0
            ? <Empty icon="settings" title={t("secret.none")}>{t("secret.none.hint")}</Empty>
            : (
              <table class="table">
                <thead>
                  <tr>
                    <th>{t("column.name")}</th>
                    <th>{t("column.environment")}</th>
                    <th>{t("column.application")}</th>
                    <th>{t("secret.where")}</th>
                    <th>{t("secret.changed")}</th>
                    <th />
                  </tr>
                </thead>
                <tbody>
                  {items.map((secret) => (
                    <tr key={secret.id} data-secret={secret.name}>
                      <td>
                        <code>{secret.name}</code>
                      </td>
                      <td>{nameOf(secret.environmentId)}</td>
                      <td>{nameOf(secret.applicationId)}</td>
                      <td>
                        {secret.provider === "boreas"
                          ? t("secret.stored")
                          : <span class="mono">{secret.provider}: {secret.reference}</span>}
                      </td>
                      <td>
                        <Ago at={secret.rotatedAt ?? secret.createdAt} /> {secret.rotatedBy ?? secret.createdBy}
                      </td>
                      <td class="end">
                        <Button small look="ghost" name="rotate-secret" onClick={() => setSet(secret)}>
                          {t("secret.rotate")}
                        </Button>
                        <Button small look="ghost" name="remove-secret" onClick={() => setRemoved(secret)}>
                          {t("remove")}
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
      </Loaded>
      {set && known && (
        <SecretDialog
          secret={set}
          places={known}
          onClose={() => setSet(undefined)}
          onDone={() => void secrets.reload()}
        />
      )}
      {removed && (
        <ConfirmDialog
          title={t("remove")}
          text={t("secret.ask.remove", { name: removed.name })}
          submit={t("remove")}
          danger
          act={async () => {
            await api.send("DELETE", `/secrets/${removed.id}`);
            await secrets.reload();
          }}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </Card>
  );
}

function SecretDialog({ secret, places, onClose, onDone }: {
  secret: Partial<Secret>;
  places: Places;
  onClose: () => void;
  onDone: () => void;
}) {
  const { api, toasts } = useApp();
  const [name, setName] = useState(secret.name ?? "");
  const [environmentId, setEnvironment] = useState(secret.environmentId ?? EVERY);
  const [applicationId, setApplication] = useState(secret.applicationId ?? EVERY);
  const [where, setWhere] = useState<string>(secret.provider ?? "boreas");
  const [value, setValue] = useState("");
  const [reference, setReference] = useState(secret.reference ?? "");
  const isNew = secret.id === undefined;
  const options = (items: { id: string; name: string }[]) => [
    { value: EVERY, text: t("secret.every") },
    ...items.map((item) => ({ value: item.id, text: item.name })),
  ];
  return (
    <Dialog title={t(isNew ? "secret.set" : "secret.rotate")} onClose={onClose}>
      <DialogForm
        submit={t("save")}
        isReady={name !== "" && (where === "boreas" ? value.length >= 4 : reference !== "")}
        onClose={onClose}
        act={async () => {
          await api.send("PUT", "/secrets", {
            name,
            environmentId: environmentId || null,
            applicationId: applicationId || null,
            ...(where === "boreas" ? { value } : { from: { [where]: reference } }),
          });
          onDone();
          onClose();
          toasts.done(t("toast.saved", { what: name }));
        }}
      >
        {isNew
          ? (
            <>
              <TextField
                label={t("column.name")}
                value={name}
                onValue={setName}
                required
                mono
                placeholder="DB_PASSWORD"
              />
              <div class="field-row">
                <SelectField
                  label={t("column.environment")}
                  value={environmentId}
                  onValue={setEnvironment}
                  options={options(places.environments)}
                />
                <SelectField
                  label={t("column.application")}
                  value={applicationId}
                  onValue={setApplication}
                  options={options(places.applications)}
                />
              </div>
            </>
          )
          : <p>{t("secret.rotate.hint", { name })}</p>}
        <SelectField
          label={t("secret.where")}
          value={where}
          onValue={setWhere}
          options={["boreas", "env", "file"].map((one) => ({
            value: one,
            text: t(`secret.where.${one as "boreas" | "env" | "file"}`),
          }))}
        />
        {where === "boreas"
          ? (
            <TextField
              label={t("secret.value")}
              value={value}
              onValue={setValue}
              hint={t("secret.value.hint")}
              rows={2}
              veiled
              mono
            />
          )
          : (
            <TextField
              label={t("secret.reference")}
              value={reference}
              onValue={setReference}
              mono
              placeholder={where === "env" ? "BOREAS_SECRET_VALUE_DB" : "db/password"}
            />
          )}
      </DialogForm>
    </Dialog>
  );
}
