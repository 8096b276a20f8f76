/** Address -> page. */
import type { ComponentChildren } from "preact";
import { ErrorBoundary } from "./components/ErrorBoundary.tsx";
import { lazyPage } from "./components/lazy_page.tsx";
import { Shell } from "./components/Shell.tsx";
import { Loaded } from "./components/Page.tsx";
import { useApp } from "./app_context.ts";
import { ApplicationPage } from "./pages/ApplicationPage.tsx";
import { ApplicationsPage } from "./pages/ApplicationsPage.tsx";
import { DeploymentPage } from "./pages/DeploymentPage.tsx";
import { DeploymentsPage } from "./pages/DeploymentsPage.tsx";
import { EnvironmentPage } from "./pages/EnvironmentPage.tsx";
import { EnvironmentsPage } from "./pages/EnvironmentsPage.tsx";
import { LoginPage } from "./pages/LoginPage.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";
import { OverviewPage } from "./pages/OverviewPage.tsx";
import { VersionPage } from "./pages/VersionPage.tsx";
import { VersionsPage } from "./pages/VersionsPage.tsx";
import { matchPath, navigate, path, query, safeReturn } from "./router.ts";
import { useEffect } from "preact/hooks";

const AgentsPage = lazyPage(async () => (await import("./pages/AgentsPage.tsx")).AgentsPage);
const RepositoriesPage = lazyPage(async () => (await import("./pages/RepositoriesPage.tsx")).RepositoriesPage);
const RepositoryPage = lazyPage(async () => (await import("./pages/RepositoryPage.tsx")).RepositoryPage);
const SettingsPage = lazyPage(async () => (await import("./pages/SettingsPage.tsx")).SettingsPage);
const TriggerPage = lazyPage(async () => (await import("./pages/TriggerPage.tsx")).TriggerPage);
const TriggersPage = lazyPage(async () => (await import("./pages/TriggersPage.tsx")).TriggersPage);

const PAGES: [string, (params: Record<string, string>) => ComponentChildren][] = [
  ["/", () => <OverviewPage />],
  ["/deployments", () => <DeploymentsPage />],
  ["/deployments/:id", ({ id }) => <DeploymentPage id={id!} />],
  ["/versions", () => <VersionsPage />],
  ["/versions/:id", ({ id }) => <VersionPage id={id!} />],
  ["/applications", () => <ApplicationsPage />],
  ["/applications/:id", ({ id }) => <ApplicationPage id={id!} />],
  ["/environments", () => <EnvironmentsPage />],
  ["/environments/:id", ({ id }) => <EnvironmentPage id={id!} />],
  ["/agents", () => <AgentsPage />],
  ["/repositories", () => <RepositoriesPage />],
  ["/repositories/:id", ({ id }) => <RepositoryPage id={id!} />],
  ["/triggers", () => <TriggersPage />],
  ["/triggers/:id", ({ id }) => <TriggerPage id={id!} />],
  ["/settings", () => <SettingsPage />],
];

export function Pages() {
  const { session } = useApp();
  const user = session.user.value;
  const here = path.value;
  const isLogin = here === "/login";
  useEffect(() => {
    if (user === null && !isLogin) navigate(`/login?next=${encodeURIComponent(here + location.search)}`, "replace");
    if (user && isLogin) navigate(safeReturn(query.peek().get("next")), "replace");
  }, [user, isLogin, here]);
  if (isLogin) return <LoginPage />;
  if (user === undefined) {
    return (
      <Loaded resource={{ data: session.user as never, error: session.error, reload: session.find, dispose() {} }}>
        {() => null}
      </Loaded>
    );
  }
  if (user === null) return null;
  return (
    <Shell>
      <ErrorBoundary key={here}>{pageAt(here)}</ErrorBoundary>
    </Shell>
  );
}

function pageAt(here: string): ComponentChildren {
  for (const [pattern, page] of PAGES) {
    const params = matchPath(pattern, here);
    if (params) return page(params);
  }
  return <NotFoundPage />;
}
