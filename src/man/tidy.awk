# SPDX-License-Identifier: MIT
#
# scdoc puts a paragraph before and behind each heading, where it does nothing, and before the end of what is indented
# instead of behind it: mandoc warns of each of them.
/^\.PP?$/ { held = $0; next }
/^\.RE$/ { print; next }
held && !/^\.(SH|SS) / && !headed { print held }
{ held = ""; headed = /^\.(SH|SS|TH) /; print }
