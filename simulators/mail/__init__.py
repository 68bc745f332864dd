"""What the simulators of HTTP email APIs share: the mails, the faults in force, and their control."""
