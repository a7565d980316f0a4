"""From files to a model: every form that weights come in.

`folder` and `single_file` know where the parts of a model are (`source.Source`); `network` makes each, its names and
shapes checked before a weight is read; `source.assemble` puts them together.
"""
