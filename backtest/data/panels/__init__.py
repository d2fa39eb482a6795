"""From quote files to panels on the grid."""
