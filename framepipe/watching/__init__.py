"""The render in a browser: a page that shows a store while frames are drawn in it. It only reads."""
