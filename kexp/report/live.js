{
  // The page is loaded anew once what it shows has changed; when its server is gone it stays as it is.
  const shown = document.querySelector("meta[name=version]").content;
  setInterval(async () => {
    try {
      const answer = await fetch("version", {cache: "no-store"});
      if (answer.ok && (await answer.text()) !== shown) location.reload();
    } catch { }
  }, 2000);
}
