"""The page for people: Streamlit in front, the HTTP API behind; none of our other packages."""
