"""What each verb of the command ``mmcompose`` takes and does, a module each.

A module has ``add_arguments(parser)`` and ``run(args)``; its docstring is the verb's help. It
imports what is slow to load, torch and MMDetection, in ``run`` alone: ``--help`` is there at once.
"""
