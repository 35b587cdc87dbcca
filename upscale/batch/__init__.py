"""From input files to output files: which becomes which, how each is enlarged, in how many processes, and the report of it.

May import `learning` and everything below it. A new limit or policy for a file belongs into `file_checks`, a new place to run
into a file beside `local` and `cluster`.
"""
