// The whole page: what is where, and who is told of what.

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { DroppedFile, FileKind } from '../recipes/protocol.ts';
import { AccuracyChart } from './components/accuracy-chart.tsx';
import { ActivationsPanel } from './components/activations.tsx';
import { Banner } from './components/banner.tsx';
import { ClassBars } from './components/class-bars.tsx';
import { Confusion } from './components/confusion.tsx';
import { Controls, Watched } from './components/controls.tsx';
import { DataPanel } from './components/data-panel.tsx';
import { Header } from './components/header.tsx';
import { Help, openHelp } from './components/help.tsx';
import { ImagesPanel } from './components/images-panel.tsx';
import { KeepPanel } from './components/keep-panel.tsx';
import { KernelsPanel } from './components/kernels-panel.tsx';
import { LossChart } from './components/loss-chart.tsx';
import { Panel } from './components/panel.tsx';
import { Stats } from './components/stats.tsx';
import { FiltersPanel } from './components/tiles.tsx';
import { TryPanel } from './components/try-panel.tsx';
import { obey } from './keys.ts';
import type { Session } from './session.ts';
import { isTutorial } from './settings.ts';
import { hashOf, settingsOf } from './share.ts';
import { currentRun, isRunning, latestEpoch, type State } from './state.ts';
import { chooseTheme, currentTheme, followSystem, showTheme, type Theme } from './theme.ts';
import { titleOf } from './title.ts';

const none: readonly string[] = [];

/** The session's state, as often as it is drawn. */
function useSession(session: Session): State {
  const [state, setState] = useState(session.state);
  useEffect(() => {
    const draw = () => setState(session.state());
    draw(); // something may have come before this was listened to
    return session.listen(draw);
  }, [session]);
  return state;
}

function useTheme(): readonly [Theme, () => void] {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(
    () =>
      followSystem((next) => {
        showTheme(next);
        setTheme(next);
      }),
    [],
  );
  const toggle = useCallback(() => {
    const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    chooseTheme(next);
    setTheme(next);
  }, []);
  return [theme, toggle];
}

/** The address says the settings, and the settings follow the address. */
function useShareLink(session: Session, { settings }: State): void {
  useEffect(() => {
    if (session.commands && hashOf(settings) !== location.hash)
      history.replaceState(null, '', hashOf(settings));
  }, [session, settings]);
  useEffect(() => {
    const changed = () =>
      session.dispatch({ type: 'settings', settings: settingsOf(location.hash).settings });
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, [session]);
}

export function App({ session }: { readonly session: Session }) {
  const state = useSession(session);
  const [theme, toggleTheme] = useTheme();
  const help = useRef<HTMLDialogElement>(null);
  const [image, setImage] = useState(0);
  const [peer, setPeer] = useState(true);
  useShareLink(session, state);

  const { commands, dispatch } = session;
  const run = currentRun(state);
  const result = latestEpoch(run);
  const classes = run?.facts.classes ?? none;
  const settings = run?.facts.settings ?? state.settings;
  const ready = commands && state.live;
  const comparable = settings.dataset === 'fashion-mnist';
  const moment = `${run?.id} ${result?.epoch} ${state.status === 'paused' ? state.progress?.step : ''}`;

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (obey(event, { session, toggleTheme, openHelp: () => openHelp(help.current) }))
        event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [session, toggleTheme]);
  const title = titleOf(state);
  useEffect(() => {
    document.title = title;
  }, [title]);

  const reference = useMemo(
    () => (comparable ? { shown: peer, toggle: () => setPeer(!peer) } : undefined),
    [comparable, peer],
  );
  const onCell = useCallback(
    (target: number, predicted: number) => {
      dispatch({ type: 'cell-asked', target, predicted });
      session.ask({ type: 'cell', target, predicted });
    },
    [session, dispatch],
  );
  const onClose = useCallback(() => dispatch({ type: 'cell-closed' }), [dispatch]);
  const onActivations = useCallback(
    (chosen: number) => session.ask({ type: 'activations', image: chosen }),
    [session],
  );
  const onPredict = useCallback((pixels: Uint8Array) => session.ask({ type: 'predict', pixels }), [session]);
  const onFile = useCallback((kind: FileKind) => session.ask({ type: 'file', kind }), [session]);
  const onKernels = useCallback(() => session.ask({ type: 'kernels' }), [session]);
  const onLoad = useCallback((bytes: Uint8Array) => session.start(undefined, bytes), [session]);
  const onFiles = useCallback(
    (files: readonly DroppedFile[]) =>
      session.send({ type: 'files', dataset: session.state().settings.dataset, files }),
    [session],
  );
  const charts = { runs: state.runs, theme, ...(reference === undefined ? {} : { reference }) };
  return (
    <>
      <Header
        facts={run?.facts}
        bytes={state.bytes}
        status={state.status}
        text={state.text}
        synthetic={run?.facts.synthetic ?? state.settings.dataset === 'synthetic'}
        commands={commands}
        theme={theme}
        onTheme={toggleTheme}
        onHelp={() => openHelp(help.current)}
      />
      <Banner failure={state.failure} notices={state.notices} settings={state.settings} session={session} />
      <div class="columns">
        {commands ? (
          <Controls
            state={state}
            session={session}
            lr={run !== undefined && state.live ? run.lr : state.settings.lr}
          />
        ) : (
          <Watched settings={run?.facts.settings} folder={run?.facts.folder} />
        )}
        <main>
          <Stats state={state} reference={peer && isTutorial(settings)} />
          <LossChart {...charts} dispatch={dispatch} live={state.live} />
          <AccuracyChart {...charts} />
          <Confusion
            validation={result?.validation}
            classes={classes}
            target={state.cell?.target}
            predicted={state.cell?.predicted}
            onCell={ready ? onCell : undefined}
          />
          <ClassBars validation={result?.validation} classes={classes} />
          {(commands || state.mistakes.length > 0) && (
            <ImagesPanel
              mistakes={state.mistakes}
              cell={state.cell}
              refused={state.refused.cell}
              classes={classes}
              onClose={onClose}
              onChoose={ready ? setImage : undefined}
            />
          )}
          {(commands || state.filters !== undefined) && (
            <FiltersPanel filters={state.filters} theme={theme} />
          )}
          {commands ? (
            <>
              <ActivationsPanel
                activations={state.activations}
                refused={state.refused.activations}
                classes={classes}
                theme={theme}
                count={ready ? (run?.facts.test ?? 0) : 0}
                image={image}
                moment={moment}
                onImage={setImage}
                onAsk={onActivations}
              />
              <TryPanel
                ready={ready}
                probabilities={state.probabilities}
                refused={state.refused.prediction}
                classes={classes}
                moment={moment}
                onAsk={onPredict}
              />
              <KeepPanel
                ready={ready}
                waiting={state.pending.file !== undefined}
                refused={state.refused.file}
                running={isRunning(state)}
                onFile={onFile}
                onLoad={onLoad}
              />
              <KernelsPanel
                times={state.kernels}
                ready={ready}
                waiting={state.pending.kernels !== undefined}
                refused={state.refused.kernels}
                onAsk={onKernels}
              />
            </>
          ) : (
            <Panel name="watched" title="Not here">
              <p class="hint">
                The model of a watched run is in Node. Cells’ images, activations, drawing, files and kernel
                times need one that trains in this page.
              </p>
            </Panel>
          )}
          <DataPanel
            dataset={state.settings.dataset}
            facts={state.live ? run?.facts : undefined}
            downloads={state.downloads}
            onFiles={commands ? onFiles : undefined}
          />
        </main>
      </div>
      <Help dialog={help} />
    </>
  );
}
