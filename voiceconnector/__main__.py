"""`python -m voiceconnector` is the `voiceconnector` command."""

from .cli import main

main()
