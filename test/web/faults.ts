// Loaded into the worker under test before its own script: makes its GPU and its storage fail when it is told to, by a message
// that the worker itself does not see. Also says what nobody caught.

/** What is to fail from now on. */
export interface Faults {
  readonly type: 'faults';
  /** Lose the device at these submits, counted from now. */
  readonly lose?: readonly number[];
  readonly storage?: 'refused';
  readonly gpu?: 'missing' | 'null';
}

/** Puts the faults in place; call it before the worker's own script. */
export function install(): void {
  let lose: readonly number[] = [];
  let submits = 0;
  let device: GPUDevice | undefined;

  const { createCommandEncoder } = GPUDevice.prototype;
  GPUDevice.prototype.createCommandEncoder = function (...options) {
    device = this;
    return createCommandEncoder.apply(this, options);
  };
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (buffers) {
    submits++;
    if (lose.includes(submits)) device?.destroy();
    return submit.call(this, buffers);
  };

  addEventListener('message', (event: MessageEvent<Faults | { readonly type: string }>) => {
    if (event.data.type !== 'faults') return;
    event.stopImmediatePropagation();
    const faults = event.data as Faults;
    lose = faults.lose ?? [];
    submits = 0;
    if (faults.storage === 'refused')
      navigator.storage.getDirectory = () =>
        Promise.reject(new DOMException('no storage here', 'SecurityError'));
    if (faults.gpu === 'missing') Object.defineProperty(navigator, 'gpu', { value: undefined });
    if (faults.gpu === 'null') navigator.gpu.requestAdapter = () => Promise.resolve(null);
  });

  addEventListener('unhandledrejection', ({ reason }) => {
    postMessage({ type: 'unhandled', text: String(reason) });
  });
}
