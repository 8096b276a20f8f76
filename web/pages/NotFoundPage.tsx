import { Empty, PageHead } from "../components/Page.tsx";
import { t } from "../i18n/locale.ts";

export const NotFoundPage = () => (
  <>
    <PageHead title={t("missing.title")} />
    <Empty icon="unknown" title={t("missing.text")}>
      <a href="/">{t("nav.overview")}</a>
    </Empty>
  </>
);
