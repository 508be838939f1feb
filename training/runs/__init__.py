"""What every training stage shares: settings, optimizer, schedule, checkpoints, logs, processes.

A stage writes a `Task` (loop.py): a network, the losses of one step, a measurement on held-out
data. `train(task, folder, settings, ...)` does the rest:

    settings = read_config(path, VaeStage)                    # config_file.py: strict TOML
    with open_processes(device) as processes:                 # processes.py: one, or torchrun's
        folder = RunFolder.open(out, settings)                # folder.py: new, or to be resumed
        runner = Runner(folder, settings.training, Budget(minutes=30), processes)
        ema = train(task, runner)                             # loop.py

- A run is a folder: `run.json` (settings), `checkpoint.safetensors` (weights, EMA, optimizer
  state, progress; replaced atomically every 5 minutes and at the end), `log.jsonl`, `curves.png`.
- The same command resumes. `--minutes` counts the training of all sittings together; a larger
  number than last time goes on: the learning rate warms up again, stays, and decays at the end.
- Randomness has no state: step k of rank r draws from generators seeded by (seed, r, k), so a
  resumed run sees the data that an uninterrupted one would have seen.
- The parts stand alone: a stage with two networks (distillation) uses Muon, Ema, Schedule and
  RunFolder in a loop of its own.
"""
