"""The plane that people and programs steer the emulator through: HTTP."""
