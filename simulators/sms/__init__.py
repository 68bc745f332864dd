"""What the simulators of SMS providers share: texts received, faults, callbacks, and their control over HTTP."""
